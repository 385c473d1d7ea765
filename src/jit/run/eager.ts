import { ConfigError } from '../../core/errors.ts';
import { tf } from '../tf.ts';

/** TensorFlow.js backends that can run a function op by op. */
export const EAGER_BACKENDS = ['cpu', 'wasm', 'tensorflow'] as const;
export type EagerBackend = (typeof EAGER_BACKENDS)[number];

const PACKAGES: Record<EagerBackend, readonly string[]> = {
  cpu: [],
  wasm: ['@tensorflow/tfjs-backend-wasm'],
  tensorflow: ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'],
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
  for (const pkg of packages) {
    try {
      await import(pkg);
      failures.length = 0;
      break;
    } catch (error) {
      failures.push(`${pkg}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  if (failures.length > 0) {
    throw new ConfigError(
      `eager backend '${name}' is not available (${failures.join('; ')}); ` +
        `install it with: npm install ${packages.at(-1)}`,
    );
  }
  if (!(await tf.setBackend(name))) {
    throw new ConfigError(`eager backend '${name}' was found but did not start`);
  }
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
