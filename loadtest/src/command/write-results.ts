import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { summaryMarkdown } from '../report/summary-markdown.ts';
import { writeReport } from '../report/write-report.ts';
import type { Sample } from '../sample-schema.ts';
import type { Summary } from '../summary-schema.ts';

/** Everything a run leaves behind, in one folder. Returns the paths. */
export async function writeResults(
  summary: Summary,
  samples: readonly Sample[],
  folder: string,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const path = (name: string) => join(folder, name);
  await writeFile(path('summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
  await writeFile(path('summary.md'), summaryMarkdown(summary));
  await writeFile(path('junit.xml'), junit(summary));
  await writeSamples(path('samples.ndjson'), samples);
  const report = await writeReport(summary, samples, folder);
  const written = ['summary.json', 'summary.md', 'junit.xml', 'samples.ndjson'].map(path);
  return report === null ? written : [report, ...written];
}

async function writeSamples(file: string, samples: readonly Sample[]): Promise<void> {
  const out = createWriteStream(file);
  for (const sample of samples) {
    if (!out.write(`${JSON.stringify(sample)}\n`)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
}

/** The objectives as test cases, for a CI server. */
function junit({ run, slo }: Summary): string {
  const cases = slo.checks.map(({ text, measured, met }) => {
    const name = `<testcase classname="loadtest" name="${escapeXml(text)}"`;
    return met
      ? `  ${name}/>`
      : `  ${name}><failure message="measured ${measured ?? 'nothing'}"/></testcase>`;
  });
  cases.push(
    run.invalid.length === 0
      ? '  <testcase classname="loadtest" name="the run is valid"/>'
      : `  <testcase classname="loadtest" name="the run is valid"><failure message="${escapeXml(run.invalid.join('; '))}"/></testcase>`,
  );
  const failures = slo.checks.filter(({ met }) => !met).length + (run.invalid.length > 0 ? 1 : 0);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="loadtest" tests="${cases.length}" failures="${failures}">`,
    ...cases,
    '</testsuite>',
    '',
  ].join('\n');
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
