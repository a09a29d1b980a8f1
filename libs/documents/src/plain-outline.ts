import { rootSection, type Segment } from './outline.ts';

/** Plain text: paragraphs, as blank lines part them. */
export function plainOutline(text: string): Segment[] {
  const segments: Segment[] = [
    { start: 0, kind: 'prose', group: 0, section: rootSection, tableHeader: null },
  ];
  for (const gap of text.matchAll(/(?:\r\n|\n|\r)[ \t\f\v]*(?:\r\n|\n|\r)\s*/g)) {
    const start = gap.index + gap[0].length;
    if (start < text.length) {
      segments.push({
        start,
        kind: 'prose',
        group: segments.length,
        section: rootSection,
        tableHeader: null,
      });
    }
  }
  return segments;
}
