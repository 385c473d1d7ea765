/**
 * Calls `fn` with a signal that Ctrl-C (and an ordinary `kill`, or a closed terminal) aborts. A
 * second Ctrl-C ends the process at once; checkpoints are whole at any moment.
 */
export async function withInterrupts<T>(fn: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, stop);
  process.on('disconnect', stopQuietly);
  function stopQuietly(): void {
    controller.abort();
  }
  try {
    return await fn(controller.signal);
  } finally {
    for (const signal of signals) process.off(signal, stop);
    process.off('disconnect', stopQuietly);
  }
}
