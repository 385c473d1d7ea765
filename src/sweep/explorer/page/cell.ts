import { api, ServerError } from './api.ts';
import { h, replace } from './dom.ts';

const TITLES = {
  open: 'Copy as notebook cell',
  rerun: 'Copy cell to train again',
} as const;

/** A button that copies runs as code for a notebook cell, and shows what it copied. */
export function cellButton(kind: keyof typeof TITLES, keys: readonly string[]): HTMLElement {
  const button = h('button', { type: 'button', 'data-cell': kind }, TITLES[kind]);
  button.addEventListener('click', async () => {
    try {
      const { code, reason } = await api.cell(kind, keys);
      showCell(code, reason);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      showCell(null, error.message);
    }
  });
  return button;
}

function showCell(code: string | null, reason: string | null): void {
  const said = h('p', { role: 'status', class: 'empty' });
  const close = h('button', { type: 'button', class: 'primary' }, 'Done');
  const dialog = h(
    'dialog',
    { class: 'cell', 'aria-label': 'Notebook cell' },
    h('h2', {}, code === null ? 'No cell for this' : 'Notebook cell'),
    code === null
      ? h('p', { class: 'trouble' }, reason ?? '')
      : h('pre', { tabindex: 0 }, h('code', {}, code)),
    h('div', { class: 'actions' }, said, close),
  );
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  if (code === null) return;
  navigator.clipboard.writeText(code).then(
    () => replace(said, 'Copied. Paste it into a cell of a Gibbs notebook.'),
    () => {
      replace(said, 'The browser did not allow copying; the code is selected: press Ctrl+C.');
      const pre = dialog.querySelector('pre');
      if (pre) getSelection()?.selectAllChildren(pre);
    },
  );
}
