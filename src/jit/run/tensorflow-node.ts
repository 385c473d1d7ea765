/**
 * TensorFlow's own library for TensorFlow.js, which Gibbs does not install. Its last release is of
 * 2024, so most of what goes wrong with it is known beforehand.
 */
export const TENSORFLOW_PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/** What an explanation may need to know. */
export interface TensorflowFacts {
  /** e.g. `v20.19.0`. */
  readonly node: string;
  /** Version of `@tensorflow/tfjs` in use. */
  readonly tfjs: string;
  /** Version of the package, if it is installed. */
  readonly version: string | undefined;
}

/** The last major version of Node that has what these packages call (`util.isNullOrUndefined`). */
const LAST_NODE = 22;

/** The one command that installs a package in the version that fits. */
export const installTensorflow = (name: string, tfjs: string): string =>
  `npm install --no-save ${name}@${tfjs}`;

/** Why a package does not start, and what to do, in one line. */
export function explainTensorflow(name: string, error: string, facts: TensorflowFacts): string {
  const { node, tfjs, version } = facts;
  if (version === undefined) {
    return `${name}: not installed; install it with: ${installTensorflow(name, tfjs)}`;
  }
  const trouble = versionTrouble(name, facts);
  if (trouble !== undefined) return trouble;
  if (/tfjs_binding\.node/.test(error) && /can ?not (be found|find)/i.test(error)) {
    return (
      `${name}: its native part is missing: the install script did not run or found no prebuilt ` +
      `file for Node ${node}; build it with: npm rebuild ${name} --build-addon-from-source ` +
      "(needs Python 3, make, a C++ compiler and access to TensorFlow's download server)"
    );
  }
  if (/libtensorflow\S*: cannot open|LoadLibrary|image not found/i.test(error)) {
    return (
      `${name}: libtensorflow 2.9.1 was not downloaded at install; where TensorFlow's download ` +
      `server is in reach: npm rebuild ${name}`
    );
  }
  if (/lib(cudart|cudnn|cublas)\S*: cannot open/i.test(error)) {
    return `${name}: it is built for CUDA 11.2 and cuDNN 8.1, which are not found; install those, or @tensorflow/tfjs-node`;
  }
  if (/GLIBC|GLIBCXX/.test(error)) {
    return `${name}: its native part is built for another C library; build it with: npm rebuild ${name} --build-addon-from-source`;
  }
  return `${name} ${version}: ${error.split('\n')[0]}`;
}

/** What is wrong with the versions, whether or not the package starts. */
export function versionTrouble(name: string, facts: TensorflowFacts): string | undefined {
  const { node, tfjs, version } = facts;
  if (version === undefined) return undefined;
  if (version !== tfjs) {
    return (
      `${name} ${version} does not fit @tensorflow/tfjs ${tfjs} (two cores of different versions ` +
      `would each know other tensors); install the same: ${installTensorflow(name, tfjs)}`
    );
  }
  const major = Number(/\d+/.exec(node)?.[0]);
  if (major > LAST_NODE) {
    return (
      `${name} ${version} calls functions that Node ${major} no longer has ` +
      `(util.isNullOrUndefined); use Node ${LAST_NODE} or older with it`
    );
  }
  return undefined;
}
