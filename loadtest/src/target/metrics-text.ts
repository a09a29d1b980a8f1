/** One series of a page in the Prometheus text format at one moment. */
export interface Reading {
  name: string;
  labels: Record<string, string>;
  value: number;
}

// A brace may stand in a label's value, and an exemplar has braces too.
const line = /^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The wanted series of a page; what is no series, or has no finite value, is passed over. */
export function readMetricsText(page: string, isWanted: (name: string) => boolean): Reading[] {
  return page.split('\n').flatMap((text) => {
    const [, name = '', labelText = '', valueText = ''] = line.exec(text) ?? [];
    const value = Number(valueText);
    if (name === '' || !isWanted(name) || !Number.isFinite(value)) return [];
    const pairs = [...labelText.matchAll(label)].map(([, key = '', said = '']) => [key, unescaped(said)]);
    return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value }];
  });
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
}
