import { ConfigError } from '../../core/errors.ts';
import { packageVersion } from '../../core/versions.ts';
import { tf } from '../tf.ts';
import {
  explainTensorflow,
  installTensorflow,
  TENSORFLOW_PACKAGES,
  type TensorflowFacts,
  versionTrouble,
} from './tensorflow-node.ts';

/** TensorFlow.js backends that can run a function op by op. */
export const EAGER_BACKENDS = ['cpu', 'wasm', 'tensorflow'] as const;
export type EagerBackend = (typeof EAGER_BACKENDS)[number];

const PACKAGES: Record<EagerBackend, readonly string[]> = {
  cpu: [],
  wasm: ['@tensorflow/tfjs-backend-wasm'],
  tensorflow: TENSORFLOW_PACKAGES,
};

/**
 * Makes `name` the backend of eager TensorFlow.js, loading its package first. `tensorflow` is
 * libtensorflow through `@tensorflow/tfjs-node` or `-gpu`, which Gibbs does not install.
 * @throws ConfigError when the package is absent or does not start; says how to install it.
 */
export async function useEagerBackend(name: EagerBackend): Promise<void> {
  const packages = PACKAGES[name];
  if (packages === undefined) {
    throw new ConfigError(`unknown eager backend '${name}' (known: ${EAGER_BACKENDS.join(', ')})`);
  }
  const failures: string[] = [];
  let started = packages.length === 0;
  for (const pkg of packages) {
    const trouble = tensorflowStatus(pkg).trouble;
    if (trouble !== undefined) {
      failures.push(trouble);
      continue;
    }
    try {
      await import(pkg);
      started = true;
      break;
    } catch (error) {
      failures.push(explain(pkg, (error as Error).message));
    }
  }
  if (!started) {
    throw new ConfigError(`eager backend '${name}' is not available: ${failures.join('; or ')}`);
  }
  if (!(await tf.setBackend(name))) {
    throw new ConfigError(`eager backend '${name}' was found but did not start`);
  }
}

function explain(pkg: string, message: string): string {
  if (!pkg.startsWith('@tensorflow/tfjs-node')) return `${pkg}: ${message.split('\n')[0]}`;
  return explainTensorflow(pkg, message, tensorflowFacts(pkg));
}

const tensorflowFacts = (pkg: string): TensorflowFacts => ({
  node: process.version,
  tfjs: tf.version.tfjs,
  version: packageVersion(pkg),
});

/** Version of `@tensorflow/tfjs-node` or `-gpu` as installed, why it cannot work, how to get it. */
export function tensorflowStatus(pkg: string) {
  const facts = tensorflowFacts(pkg);
  const trouble = pkg.startsWith('@tensorflow/tfjs-node') ? versionTrouble(pkg, facts) : undefined;
  return { version: facts.version, trouble, install: installTensorflow(pkg, facts.tfjs) };
}

/** The eager backends whose packages can be found, best first, without starting them. */
export function installedEagerBackends(resolve: (name: string) => unknown): EagerBackend[] {
  return EAGER_BACKENDS.filter((name) => {
    const packages = PACKAGES[name];
    return (
      packages.length === 0 ||
      packages.some((pkg) => {
        try {
          resolve(pkg);
          return true;
        } catch {
          return false;
        }
      })
    );
  });
}
