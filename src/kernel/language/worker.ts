import { parentPort, workerData } from 'node:worker_threads';
import ts from 'typescript';
import { diagnose } from './diagnostics.ts';
import type { Cancellation } from './host.ts';
import { inspect } from './inspection.ts';
import { MemberCompletions } from './member-completions.ts';
import { LanguageSession } from './session.ts';
import { CANCELLED, type Diagnostic, type Reply, type Request, type WorkerSetup } from './types.ts';

/** The thread of the language service: answers one request after the other. */
function serve(port: NonNullable<typeof parentPort>, setup: WorkerSetup): void {
  const cancellation: Cancellation = { cancelled: setup.cancelled, current: 0 };
  const session = new LanguageSession(setup.cwd, cancellation);
  const members = new MemberCompletions(session);
  let problem = session.project.problem;

  const diagnostics = (code: string): Diagnostic[] => {
    const found = diagnose(session, session.open(code));
    if (problem === undefined) return found;
    const first = warning(problem);
    problem = undefined;
    return [first, ...found];
  };

  const answer = (request: Request): unknown => {
    switch (request.kind) {
      case 'warm':
        diagnose(session, session.open('1 + 1'));
        return undefined;
      case 'reset':
        session.reset();
        return undefined;
      case 'update': {
        try {
          return request.check === true ? diagnostics(request.code) : [];
        } finally {
          session.record(request);
        }
      }
      case 'diagnostics':
        return diagnostics(request.code);
      case 'complete':
        return members.complete(request.code, request.offset);
      case 'inspect':
        return inspect(session, session.open(request.code), request.offset, request.level);
    }
  };

  port.on('message', ({ id, request }: { id: number; request: Request }) => {
    cancellation.current = id;
    let reply: Reply;
    try {
      reply = { id, result: answer(request) };
    } catch (error) {
      const cancelled = error instanceof ts.OperationCanceledException;
      reply = { id, failure: cancelled ? CANCELLED : String((error as Error)?.stack ?? error) };
    }
    port.postMessage(reply);
  });
}

const warning = (message: string): Diagnostic => ({
  code: 0,
  category: 'warning',
  message,
  start: 0,
  end: 0,
  line: 1,
  column: 1,
});

if (parentPort) serve(parentPort, workerData as WorkerSetup);
