import { type Markup, markup } from './markup.ts';
import { widths } from './plot.ts';
import { stageClass, stageLabel } from './stage-names.ts';

export interface LegendEntry {
  label: string;
  /** Classes of what stands before it: a line, or a box. */
  line?: string;
  box?: string;
}

/** A plot in its card, drawn for the page's width and for a telephone. */
export function figure(options: {
  title: string;
  sub: string | Markup;
  room: 'full' | 'half';
  draw: (width: number) => Markup;
  legend?: readonly LegendEntry[];
  under?: Markup | null;
}): Markup {
  const { title, sub, room, draw, legend = [], under = null } = options;
  return markup`<figure class="card">
<figcaption><h2>${title}</h2><p class="sub">${sub}</p></figcaption>
<div class="wide ${room}">${draw(widths[room])}</div>${room === 'full' && markup`<div class="medium">${draw(widths.medium)}</div>`}<div class="narrow">${draw(widths.narrow)}</div>
${legend.length > 0 && markup`<ul class="legend">${legend.map(legendEntry)}</ul>`}${under}
</figure>`;
}

function legendEntry({ label, line, box }: LegendEntry): Markup {
  const sign =
    line !== undefined
      ? markup`<path class="${line}" d="M1 6H21"/>`
      : markup`<rect class="${box ?? ''}" x="4" width="14" height="12"/>${(box ?? '').includes('waits') && markup`<rect class="hatch" x="4" width="14" height="12"/>`}`;
  return markup`<li><svg viewBox="0 0 22 12" aria-hidden="true">${sign}</svg>${label}</li>`;
}

export function stageLegend(stages: readonly string[]): LegendEntry[] {
  return stages.map((stage) => ({ label: stageLabel(stage), box: stageClass(stage) }));
}

export interface TableColumn<Row> {
  title: string;
  cell: (row: Row) => string | Markup;
  isNumber?: boolean;
  /** Left out on a telephone. */
  isSpare?: boolean;
  /** May be broken anywhere: a foreign text can be one long word. */
  isProse?: boolean;
}

export function table<Row>(columns: readonly TableColumn<Row>[], rows: readonly Row[]): Markup {
  const classOf = ({ isNumber, isSpare, isProse }: TableColumn<Row>) =>
    [isNumber === true && 'number', isSpare === true && 'spare', isProse === true && 'said']
      .filter(Boolean)
      .join(' ');
  return markup`<div class="scroll"><table><thead><tr>${columns.map((column) => markup`<th class="${classOf(column)}">${column.title}</th>`)}</tr></thead><tbody>${rows.map(
    (row) =>
      markup`<tr>${columns.map((column) => markup`<td class="${classOf(column)}">${column.cell(row)}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

export function card(title: string, sub: string | null, body: Markup | readonly Markup[]): Markup {
  return markup`<section class="card"><h2>${title}</h2>${sub !== null && markup`<p class="sub">${sub}</p>`}${body}</section>`;
}

export function facts(entries: readonly (readonly [string, string | null])[]): Markup {
  return markup`<dl>${entries.map(([name, value]) => value !== null && markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}
