// A kernel of a few lines: answers kernel_info, and does with a cell what its first word says.
import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Publisher, Router } from 'zeromq';

const info = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const address = (port) =>
  info.transport === 'ipc' ? `ipc://${info.ip}-${port}` : `tcp://${info.ip}:${port}`;
const session = randomUUID();

function frames(idents, type, parent, content) {
  const header = {
    msg_id: randomUUID(),
    session,
    username: 'k',
    date: '',
    msg_type: type,
    version: '5.5',
  };
  const parts = [header, parent, {}, content].map((part) => Buffer.from(JSON.stringify(part)));
  const hmac = createHmac('sha256', info.key);
  for (const part of parts) hmac.update(part);
  return [...idents, '<IDS|MSG>', hmac.digest('hex'), ...parts];
}

function parse(message) {
  const at = message.findIndex((frame) => frame.toString() === '<IDS|MSG>');
  const [header, , , content] = message.slice(at + 2, at + 6).map((f) => JSON.parse(f.toString()));
  return { idents: message.slice(0, at), header, content };
}

if (process.env.FAKE_KERNEL === 'broken') {
  console.error('cannot find my libraries');
  process.exit(3);
} else await serve();

async function serve() {
  const [shell, control, iopub] = [new Router(), new Router(), new Publisher()];
  await Promise.all([
    shell.bind(address(info.shell_port)),
    control.bind(address(info.control_port)),
    iopub.bind(address(info.iopub_port)),
  ]);
  let interrupted = () => {};
  const publish = (type, parent, content) => iopub.send(frames(['topic'], type, parent, content));

  void (async () => {
    for await (const message of control) {
      const { header } = parse(message);
      if (header.msg_type === 'shutdown_request') process.exit(0);
      if (header.msg_type === 'interrupt_request') interrupted();
    }
  })();

  for await (const message of shell) {
    const { idents, header, content } = parse(message);
    await publish('status', header, { execution_state: 'busy' });
    let reply = { status: 'ok', language_info: { name: 'fake' } };
    if (header.msg_type === 'execute_request') reply = await execute(header, content.code);
    await shell.send(frames(idents, header.msg_type.replace('request', 'reply'), header, reply));
    // The last output comes after the reply, as it may with real kernels.
    if (content.code === 'late') await publish('stream', header, { name: 'stdout', text: 'late' });
    await publish('status', header, { execution_state: 'idle' });
  }

  async function execute(header, code) {
    const [verb] = code.split(' ');
    if (verb === 'die') {
      console.error('segmentation fault, they say');
      process.exit(139);
    }
    if (verb === 'forged') {
      const forged = frames(['topic'], 'stream', header, { name: 'stdout', text: 'forged' });
      forged[2] = 'f'.repeat(64);
      await iopub.send(forged);
    }
    if (verb === 'forever') {
      await new Promise((resolve) => {
        interrupted = resolve;
      });
      return { status: 'error', ename: 'KeyboardInterrupt', evalue: 'stop', traceback: ['tb'] };
    }
    await publish('stream', header, { name: 'stdout', text: `${code}\n` });
    return { status: 'ok', execution_count: 7 };
  }
}
