/** Numbers and times as the page writes them. No DOM: used by tests as well. */

const DASH = '–';

/** Four significant digits, thin exponents; a dash for what is missing. */
export function formatValue(value: unknown): string {
  if (value === undefined || value === null || value === '') return DASH;
  if (typeof value === 'number') return formatNumber(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return String(value).replace('-', '−');
  const text =
    size >= 1e-3 && size < 1e6
      ? String(Number(value.toPrecision(4)))
      : value.toExponential(2).replace(/\.?0*e\+?/, 'e');
  return text.replaceAll('-', '−');
}

/** `1 234 567` with narrow spaces. */
export function formatCount(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** `3.2 s`, `4 min 05 s`, `2 h 07 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${two(Math.floor(seconds % 60))} s`;
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB'];
  let value = bytes / 1000;
  let at = 0;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

/** `2026-11-22 10:35`, in the reader's own time zone; seconds on request. */
export function formatTime(iso: string, seconds = false): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return DASH;
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return `${day} ${time}${seconds ? `:${two(at.getSeconds())}` : ''}`;
}

/** The hash in a key, with its seed: enough to tell runs apart. */
export function shortKey(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
