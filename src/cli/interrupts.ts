/**
 * Calls `fn` with a signal that Ctrl-C (and an ordinary `kill`, or a closed terminal) aborts. A
 * second Ctrl-C ends the process at once; checkpoints are whole at any moment.
 */
export async function withInterrupts<T>(fn: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  let pressed = 0;
  // A worker's parent passes a stop on as SIGTERM, beside the SIGINT of the shared terminal: only
  // a repeated SIGINT is the user's impatience.
  const press = () => {
    if (++pressed > 1) process.exit(130);
    abort();
  };
  // 'disconnect': this is a worker whose parent has gone.
  const others = ['SIGTERM', 'SIGHUP', 'disconnect'] as const;
  process.on('SIGINT', press);
  for (const event of others) process.on(event, abort);
  try {
    return await fn(controller.signal);
  } finally {
    process.off('SIGINT', press);
    for (const event of others) process.off(event, abort);
  }
}
