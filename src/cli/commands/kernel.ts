import { ConfigError, unknownName } from '../../core/errors.ts';
import { installKernel, listKernels, uninstallKernel } from '../../kernel/install/kernelspec.ts';
import { type Arguments, type Command, JSON_OPTION, table } from '../command.ts';

const VERBS = ['install', 'uninstall', 'list'] as const;

export const kernelCommand: Command = {
  usage: 'kernel (install | uninstall | list)',
  summary: 'Makes the TypeScript kernel known to Jupyter and VS Code.',
  details: [
    'install    writes the kernelspec; without options for this user.',
    'uninstall  removes a kernelspec that install wrote, from the same place.',
    "list       shows the kernelspecs of ours in Jupyter's search paths.",
    '',
    'Kernels of other programs are never touched, unless --replace says so.',
    '',
    'Examples:',
    '  gibbs kernel install',
    '  gibbs kernel install --sys-prefix         # into the active virtual environment',
    '  gibbs kernel install --name tslab         # notebooks written for tslab run as they are',
  ].join('\n'),
  positionals: ['install | uninstall | list'],
  options: {
    user: { type: 'boolean', help: 'for this user (the default)' },
    prefix: { type: 'string', value: 'DIR', help: 'below DIR/share/jupyter' },
    'sys-prefix': { type: 'boolean', help: 'into the active Python environment' },
    name: { type: 'string', value: 'NAME', help: 'name of the kernelspec (default: gibbs)' },
    'display-name': { type: 'string', value: 'TEXT', help: 'the name that menus show' },
    replace: { type: 'boolean', help: 'also over a kernel of another program' },
    json: JSON_OPTION,
  },
  run: async (args) => {
    const [verb] = args.positionals;
    switch (verb as (typeof VERBS)[number]) {
      case 'install':
        return report(args, 'installed', installKernel(place(args)));
      case 'uninstall':
        return report(args, 'removed', uninstallKernel(place(args)));
      case 'list':
        return list(args);
      default:
        throw unknownName('kernel command', verb, VERBS);
    }
  },
};

function place(args: Arguments) {
  const given = [args.flag('user'), args.text('prefix') !== undefined, args.flag('sys-prefix')];
  if (given.filter(Boolean).length > 1) {
    throw new ConfigError('give one of --user, --prefix and --sys-prefix');
  }
  return {
    name: args.text('name'),
    displayName: args.text('display-name'),
    prefix: args.text('prefix'),
    sysPrefix: args.flag('sys-prefix'),
    replace: args.flag('replace'),
  };
}

function report(args: Arguments, what: string, folder: string): number {
  const text = args.flag('json') ? JSON.stringify({ [what]: folder }) : `${what}: ${folder}`;
  process.stdout.write(`${text}\n`);
  return 0;
}

function list(args: Arguments): number {
  const kernels = listKernels();
  if (args.flag('json')) process.stdout.write(`${JSON.stringify({ kernels })}\n`);
  else if (kernels.length === 0) {
    process.stdout.write("none installed; 'gibbs kernel install' does it\n");
  } else {
    const rows = kernels.map(({ name, path, works }) => {
      const state = works ? '' : '  (broken: the program it starts is gone; install it again)';
      return [name, `${path}${state}`] as const;
    });
    process.stdout.write(`${table(rows).join('\n')}\n`);
  }
  return 0;
}
