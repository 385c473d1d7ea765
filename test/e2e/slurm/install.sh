#!/bin/bash
# Installs what the test of sweeps on a cluster needs: Slurm and Munge from Debian. Starts nothing.
set -euo pipefail
command -v slurmctld slurmd sbatch munged > /dev/null && exit 0
command -v apt-get > /dev/null || { echo 'no apt-get here' >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo 'not root' >&2; exit 1; }
# The packages' services must not start: the test has a cluster of its own.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt-get update -qq
apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge > /dev/null
