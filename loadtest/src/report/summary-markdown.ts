import type { Group } from '../figures-schema.ts';
import type { Summary } from '../summary-schema.ts';
import { count, duration, percent, rate } from './figures.ts';
import { figureRows, headlineOf, intervalText, quantileText } from './headline.ts';
import { shownMarks } from './mark-rows.ts';
import { stageLabel } from './stage-names.ts';

/** `summary.md`: what a person pastes into an issue. Tables only where there is something to tell. */
export function summaryMarkdown(summary: Summary): string {
  const { run, config, latency, slo, stages, errors, replicas, cache, tenants, steps, totals } = summary;
  const headline = latency[latency.headline];
  const clock = latency.headline === 'response' ? 'from when it was due' : 'from when it was sent';
  const sections = [
    `# ${inline(headlineOf(summary))}`,
    run.invalid.length > 0 &&
      `> **These figures do not mean what was asked for:** ${run.invalid.map(inline).join('; ')}`,
    `Load test \`${code(run.id)}\` of ${inline(config.url)}, ${run.started_at.slice(0, 19)}Z; mode ${config.mode}, latency ${clock}${run.state === 'interrupted' ? '; **interrupted**' : ''}.`,
    table(
      ['', ''],
      figureRows(summary).map(([name, value]) => [name, value]),
    ),
    `95 % intervals: P50 ${intervalText(headline.p50)}, P95 ${intervalText(headline.p95)}, P99 ${intervalText(headline.p99)}.`,
    slo.checks.length > 0 &&
      section(
        'Objectives',
        table(
          ['objective', 'measured', 'verdict'],
          slo.checks.map(({ text, measured, unit, met }) => [
            text,
            unit === 'ms' ? duration(measured) : unit === 'ratio' ? percent(measured) : `${rate(measured)}/s`,
            met ? 'met' : '**missed**',
          ]),
        ),
      ),
    stages !== null &&
      section(
        'What the time is made of',
        `Of ${count(stages.requests)} answers; explained: ${percent(stages.explained_at_median)} at the median, ${percent(stages.explained_in_tail)} in the tail.`,
        table(
          ['stage', 'P50', 'P99', 'at the median', 'in the tail'],
          stages.rows.map((row) => [
            stageLabel(row.stage),
            duration(row.p50_ms),
            duration(row.p99_ms),
            percent(row.share_at_median),
            percent(row.share_in_tail),
          ]),
        ),
      ),
    errors.length > 0 &&
      section(
        'How it failed',
        table(
          ['class', 'status', 'what was said', 'times'],
          errors.map((error) => [
            error.outcome,
            String(error.status ?? '–'),
            error.error,
            count(error.count),
          ]),
        ),
      ),
    groups('By replica', replicas),
    groups('By cache', cache),
    groups('By tenant', tenants),
    summary.marks.length > 0 &&
      section(
        'What was done meanwhile',
        table(
          ['', 'at', 'what', 'P95 before', 'slowest', 'failed', 'effect'],
          shownMarks(summary.marks).map((mark) => [
            mark.number,
            mark.when,
            mark.text,
            mark.before,
            mark.worst,
            mark.failed,
            mark.effect,
          ]),
        ),
      ),
    summary.target !== null &&
      section(
        'What the target showed meanwhile',
        table(
          ['metric', 'of', 'mean', 'most'],
          summary.target.series
            .filter(({ max }) => max > 0)
            .map(({ name, label, mean, max }) => [name, label ?? '', mean.toFixed(2), max.toFixed(2)]),
        ),
      ),
    steps.length > 0 &&
      section(
        'Rates',
        table(
          ['rate', 'for', 'P99', 'failed', 'verdict'],
          steps.map((step) => [
            `${rate(step.rate)}/s`,
            step.purpose,
            quantileText(step.response.p99),
            percent(step.error_ratio),
            step.passed ? 'held' : step.reasons.join(', '),
          ]),
        ),
      ),
    section(
      'Run',
      [
        `- ${count(config.questions.count)} questions (${inline(config.questions.source)}), seed ${config.seed}, configuration \`${code(config.hash)}\``,
        `- warm-up ${duration(config.warmup_ms)} (${count(totals.warmup_requests)} requests in no figure), cache ${config.cache ?? 'as the target likes'}, ${config.stream ? 'streamed' : 'not streamed'}`,
        `- on ${run.host.cpus} × ${inline(run.host.cpu_model)}, ${(run.host.memory_bytes / 2 ** 30).toFixed(0)} GiB, ${inline(run.host.platform)}, Node ${run.tool.node}${run.tool.git_revision === null ? '' : `, revision ${code(run.tool.git_revision)}`}`,
        ...run.notes.map((note) => `- ${inline(note)}`),
      ].join('\n'),
    ),
  ];
  return `${sections.filter((part) => part !== false).join('\n\n')}\n`;
}

function groups(title: string, list: readonly Group[]): string | false {
  if (list.length === 0) return false;
  return section(
    title,
    table(
      ['', 'requests', 'failed', 'P50', 'P95', 'P99'],
      list.map(({ name, requests, failed, response }) => [
        name,
        count(requests),
        count(failed),
        quantileText(response.p50),
        quantileText(response.p95),
        quantileText(response.p99),
      ]),
    ),
  );
}

function section(title: string, ...parts: string[]): string {
  return [`## ${title}`, ...parts].join('\n\n');
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(inline).join(' | ')} |`;
  return [
    line(header),
    `|${header.map((_, index) => (index === 0 ? ' --- |' : ' ---: |')).join('')}`,
    ...rows.map(line),
  ].join('\n');
}

/** What a server said, as one line of text: neither a table's bar nor a tag nor an image of its own. */
function inline(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\\`|![\]]/g, '\\$&');
}

function code(text: string): string {
  return text.replaceAll(/[`\s]/g, ' ');
}
