import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@vortex/client';
import { queryResponse, uploadAccepted } from '@vortex/contracts';
import { z } from 'zod';
import { CommandProblem } from '../problem.ts';
import type { Terminal } from '../terminal.ts';
import { becomesHealthy, type RunningContainer, runOnce, startContainer } from './container-process.ts';
import type { ContainerPlan } from './plan-containers.ts';

export interface StackReport {
  services: {
    name: string;
    ready_ms: number | null;
    resident_mb: number | null;
    drain_ms: number | null;
    exit_code: number;
  }[];
  stack_ready_ms: number;
  first_answer: { status: number; citations: number; degraded: boolean; ms: number };
  under_drain: { asked: number; answered: number };
  problems: string[];
}

const readyPatienceMs = 120_000;
const questionsUnderDrain = 30;
const loadTestRequests = 50;
const loadTestPatienceMs = 60_000;
const question = 'What happens to a job when its worker dies?';

/**
 * Starts every container in the order of its conditions, holds each to what the compose file promises, asks, drains a
 * generator under load, and stops all of them in reverse.
 */
export async function checkStack(options: {
  plans: readonly ContainerPlan[];
  rootFolder: string;
  logsDir: string;
  gatewayUrl: string;
  terminal: Terminal;
}): Promise<StackReport> {
  const { plans, rootFolder, terminal, gatewayUrl } = options;
  mkdirSync(options.logsDir, { recursive: true });
  const logOf = (name: string) => join(options.logsDir, `${name}.log`);
  const running: RunningContainer[] = [];
  const services = new Map<string, StackReport['services'][number]>();
  const problems: string[] = [];
  const killAll = () => {
    for (const container of running) container.kill();
  };
  process.once('exit', killAll);
  const onSignal = () => process.exit(130);
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);

  try {
    const started = performance.now();
    const healthy = new Map<string, Promise<boolean>>();
    const always = plans.filter(({ onDemand }) => !onDemand);
    const step = terminal.step('Starting the stack from the image');
    await Promise.all(
      always.map(async (plan) => {
        // `plans` is in order, so whoever is waited for has its promise already.
        const conditions = Object.keys(plan.waitsFor).map((name) => healthy.get(name));
        const turn = (async () => {
          if ((await Promise.all(conditions)).some((one) => one !== true)) return false;
          const container = startContainer(plan, rootFolder, logOf(plan.name));
          running.push(container);
          const fine = await becomesHealthy(container, rootFolder, readyPatienceMs);
          services.set(plan.name, {
            name: plan.name,
            ready_ms: Math.round(performance.now() - container.startedAt),
            ...{ resident_mb: null, drain_ms: null, exit_code: container.endedWith() ?? 0 },
          });
          step.update(`${plan.name} is ready`);
          return fine;
        })();
        healthy.set(plan.name, turn);
        if (!(await turn)) problems.push(`${plan.name} did not become ready:\n${tail(logOf(plan.name))}`);
      }),
    );
    if (problems.length > 0) {
      step.fail();
      throw new CommandProblem(problems[0] ?? '');
    }
    const stackReadyMs = Math.round(performance.now() - started);
    step.done(`Stack of ${running.length} containers ready`);

    for (const container of running) {
      if (container.endedWith() !== null) continue;
      const { userId, capabilities, noNewPrivileges, residentMegabytes } = container.status();
      const { name, user } = container.plan;
      const report = services.get(name);
      if (report !== undefined) report.resident_mb = residentMegabytes;
      if (userId === 0 || userId !== Number(user.split(':')[0])) problems.push(`${name} runs as ${userId}`);
      if (!/^0+$/.test(capabilities)) problems.push(`${name} has capabilities ${capabilities}`);
      if (!noNewPrivileges) problems.push(`${name} may win privileges`);
    }
    problems.push(...(await readOnlyProblems(plans, rootFolder)));

    const before = performance.now();
    const answer = await ask(gatewayUrl);
    const firstAnswer = { ...answer, ms: Math.round(performance.now() - before) };
    if (answer.status !== 200 || answer.citations === 0)
      problems.push(`the first question was answered ${answer.status} with ${answer.citations} citations`);
    problems.push(...(await uploadProblems(gatewayUrl)));
    problems.push(...(await loadTestProblems(plans, rootFolder)));

    const underDrain = await drainUnderLoad(gatewayUrl, running, services, problems);
    const stopping = terminal.step('Stopping the stack');
    for (const container of running.toReversed()) await stopOne(container, services, problems);
    stopping.done();
    return {
      services: plans.flatMap(({ name }) => services.get(name) ?? []),
      stack_ready_ms: stackReadyMs,
      first_answer: firstAnswer,
      under_drain: underDrain,
      problems,
    };
  } finally {
    killAll();
    await Promise.all(running.map(({ ended }) => ended));
    process.off('exit', killAll);
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

async function stopOne(
  container: RunningContainer,
  services: ReadonlyMap<string, StackReport['services'][number]>,
  problems: string[],
): Promise<void> {
  if (container.endedWith() !== null) return;
  const { name } = container.plan;
  const { exitCode, drainMs } = await container.stop();
  Object.assign(services.get(name) ?? {}, { exit_code: exitCode, drain_ms: drainMs });
  if (exitCode !== 0) problems.push(`${name} ended with ${exitCode} on SIGTERM`);
}

/** Thirty questions are under way when one of three generators is told to stop: all are answered, and it ends with 0. */
async function drainUnderLoad(
  gatewayUrl: string,
  running: readonly RunningContainer[],
  services: ReadonlyMap<string, StackReport['services'][number]>,
  problems: string[],
): Promise<StackReport['under_drain']> {
  const generator = running.find(({ plan }) => plan.name === 'llm_generator_2');
  const questions = Array.from({ length: questionsUnderDrain }, (_, index) =>
    ask(gatewayUrl, `${question} (${index})`),
  );
  // The first answer says that generators are at work.
  await Promise.race(questions);
  if (generator !== undefined) await stopOne(generator, services, problems);
  const answers = await Promise.all(questions);
  const answered = answers.filter(({ status }) => status === 200).length;
  if (answered < questionsUnderDrain)
    problems.push(
      `${questionsUnderDrain - answered} of ${questionsUnderDrain} questions failed under a drain`,
    );
  return { asked: questionsUnderDrain, answered };
}

async function ask(
  gatewayUrl: string,
  query = question,
): Promise<{ status: number; citations: number; degraded: boolean }> {
  const response = await fetch(`${gatewayUrl}/query`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query, cache: 'bypass' }),
  });
  const body: unknown = await response.json();
  if (!response.ok) return { status: response.status, citations: 0, degraded: false };
  const { citations, degraded } = queryResponse.parse(body);
  return { status: response.status, citations: citations.length, degraded: degraded.length > 0 };
}

/** The load tester of the image, as `docker compose run load_tester` starts it. */
async function loadTestProblems(plans: readonly ContainerPlan[], rootFolder: string): Promise<string[]> {
  const plan = plans.find(({ name }) => name === 'load_tester');
  if (plan === undefined) return ['there is no load tester'];
  const command = [...plan.command, '--requests', String(loadTestRequests)];
  const { exitCode, output } = await runOnce(plan, command, rootFolder, loadTestPatienceMs);
  return exitCode === 0 ? [] : [`the load tester ended with ${exitCode}:\n${output.slice(-1000)}`];
}

/** A file goes through the volume that three containers share: written by one, parsed by another, shown by the third. */
async function uploadProblems(gatewayUrl: string): Promise<string[]> {
  const form = new FormData();
  form.set(
    'file',
    new Blob(['# Harbour\n\nThe lighthouse of Vessel Point was lit in 1871.\n']),
    'harbour.md',
  );
  form.set('collection', 'harbour');
  const response = await fetch(`${gatewayUrl}/api/documents/upload`, { method: 'POST', body: form });
  const jobId = uploadAccepted.safeParse(await response.json()).data?.job_id;
  if (response.status !== 202 || jobId == null) return [`an upload was answered ${response.status}`];
  const client = createClient({ url: gatewayUrl });
  try {
    const job = await client.waitForJob(jobId);
    return job.status === 'completed' ? [] : [`the upload ended ${job.status}: ${job.error ?? ''}`];
  } finally {
    await client.close();
  }
}

async function readOnlyProblems(plans: readonly ContainerPlan[], rootFolder: string): Promise<string[]> {
  const plan = plans.find(({ name }) => name === 'gateway');
  if (plan === undefined) return ['there is no gateway'];
  const program = `
    const { writeFileSync } = require('node:fs');
    const tried = ['/opt/vortex/x', '/etc/x', '/run/vortex/x', '/usr/local/bin/node', '/tmp/x', '/data/.x'];
    const outcome = (path) => { try { writeFileSync(path, ''); return 'written'; } catch (error) { return error.code; } };
    console.log(JSON.stringify(Object.fromEntries(tried.map((path) => [path, outcome(path)]))));`;
  const { output } = await runOnce(plan, ['node', '-e', program], rootFolder);
  const outcome = z.record(z.string(), z.string()).parse(JSON.parse(output));
  // EACCES would only say that the folder is root's.
  const wanted = (path: string) => (/^\/(tmp|data)\//.test(path) ? 'written' : 'EROFS');
  return Object.entries(outcome)
    .filter(([path, result]) => result !== wanted(path))
    .map(([path, result]) => `writing ${path}: ${result} instead of ${wanted(path)}`);
}

function tail(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').slice(-8).join('\n');
  } catch {
    return '(it was not started)';
  }
}
