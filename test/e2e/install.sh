#!/bin/bash
# Installs what the end-to-end tests use beside npm packages, from Debian: Chromium for JupyterLab, and
# its SwiftShader for WebGPU; Python's venv for Jupyter, Open MPI for training on several processes,
# Slurm for sweeps on a cluster. Needs root where something is missing.
set -euo pipefail
missing=()
command -v chromium > /dev/null || command -v google-chrome > /dev/null || missing+=(chromium)
command -v chromedriver > /dev/null || missing+=(chromium-driver)
swiftshader() {
  for folder in /usr/lib/chromium /usr/share/chromium /opt/google/chrome; do
    if [ -e "$folder/vk_swiftshader_icd.json" ]; then return 0; fi
  done
  return 1
}
swiftshader || missing+=(chromium-common)
python3 -c 'import venv, ensurepip' 2> /dev/null || missing+=(python3-venv)
command -v mpirun > /dev/null || missing+=(openmpi-bin)
# The name by which Slurm's srun loads PMIx.
ldconfig -p | grep -q 'libpmix\.so ' || missing+=(libpmix-dev)
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get > /dev/null || { echo "no apt-get here to install ${missing[*]}" >&2; exit 1; }
  [ "$(id -u)" = 0 ] || { echo "not root: apt-get install ${missing[*]}" >&2; exit 1; }
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq "${missing[@]}" > /dev/null
fi
bash "$(dirname "$0")/slurm/install.sh"
