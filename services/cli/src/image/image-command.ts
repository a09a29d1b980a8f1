import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readComposeFile } from '../container/compose-file.ts';
import { repositoryRoot } from '../folders.ts';
import { fetchModel } from '../model-command.ts';
import { CommandProblem } from '../problem.ts';
import type { Terminal } from '../terminal.ts';
import { buildah, buildImage, hasImage, makeBase } from './build-image.ts';
import { checkStack, type StackReport } from './check-stack.ts';
import { defaultsOf, judgeImage, readInspection } from './image-facts.ts';
import { addressesOf, hostsText, leftOut, planContainers } from './plan-containers.ts';

const tag = 'localhost/vortex:check';
const maxMegabytes = 900;
/** So that questions are under way when a generator is told to stop. */
const mockLatencyMs = 300;

interface ImageReport {
  megabytes: number;
  build_s: number | null;
  stand_in_base: boolean;
  not_run: string[];
  stack: StackReport;
  problems: string[];
}

/**
 * `./vortex image check`: builds the image with buildah and runs docker-compose.yml's containers of ours from it, as processes of
 * this machine (deploy/enter-image.sh), each as it would be in an engine. False when something did not hold.
 */
export async function checkImage(
  options: { makeBase: boolean; build: boolean; json: boolean },
  terminal: Terminal,
): Promise<boolean> {
  needTools();
  const base = baseOfDockerfile(readFileSync(join(repositoryRoot, 'deploy/Dockerfile'), 'utf8'));
  const started = performance.now();
  let buildSeconds: number | null = null;
  if (options.build || !hasImage(tag)) {
    if (!hasImage(base.name)) {
      if (!options.makeBase) {
        throw new CommandProblem(`The base image ${base.name} is not here.`, {
          ways: [
            `buildah pull ${base.name}@${base.digest}  (where its registry can be reached)`,
            'or once more with --make-base, which makes a stand-in of Debian and this Node (needs debootstrap)',
          ],
        });
      }
      await makeBase(base.name, terminal);
    }
    await fetchModel({ to: join(repositoryRoot, 'deploy/models') }, terminal);
    await buildImage({ tag, base: base.name, revision: revision(), terminal });
    buildSeconds = Math.round((performance.now() - started) / 1000);
  }

  const config = readInspection(buildah(['inspect', '--type', 'image', tag]));
  const work = mkdtempSync(join(tmpdir(), 'vortex-image-'));
  // Volumes are entered by other users than this one.
  chmodSync(work, 0o755);
  const container = buildah(['from', '--pull-never', tag]);
  try {
    const rootFolder = buildah(['mount', container]);
    const megabytes = Number(
      spawnSync('du', ['-sx', '-B1000000', rootFolder], { encoding: 'utf8' }).stdout.split('\t')[0],
    );
    const problems = judgeImage(config, { megabytes, maxMegabytes, version: versionOfPackage() });
    const text = readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8');
    // No Qdrant can be assumed: vectors go to LanceDB in the data volume.
    const file = readComposeFile(text, { QDRANT_URL: '', MOCK_LLM_LATENCY_MS: String(mockLatencyMs) });
    const addresses = addressesOf(file);
    const hostsFile = join(work, 'hosts');
    writeFileSync(hostsFile, hostsText(file, addresses));
    const volumesDir = join(work, 'volumes');
    const owners: Record<string, number> = { redis: 999, cache: 999 };
    for (const name of [...Object.keys(file.volumes), 'cache']) {
      mkdirSync(join(volumesDir, name), { recursive: true });
      chownSync(join(volumesDir, name), owners[name] ?? 10_001, owners[name] === undefined ? 10_001 : 1000);
    }
    const plans = planContainers({
      ...{ file, volumesDir, hostsFile, addresses, repositoryRoot },
      image: defaultsOf(config),
    });
    const stack = await checkStack({
      ...{ plans, rootFolder, terminal },
      logsDir: join(work, 'logs'),
      gatewayUrl: `http://${addresses.gateway}:8000`,
    });
    problems.push(...stack.problems);
    const report: ImageReport = {
      ...{ megabytes, build_s: buildSeconds, not_run: leftOut(file), stack, problems },
      stand_in_base: config.Env.some((line) => line.startsWith('NODE_EXTRA_CA_CERTS=')),
    };
    if (options.json) console.log(JSON.stringify(report, null, 2));
    else show(report);
    return problems.length === 0;
  } finally {
    buildah(['rm', container]);
    rmSync(work, { recursive: true, force: true });
  }
}

/** The name without its digest, which only the official image has. */
function baseOfDockerfile(text: string): { name: string; digest: string } {
  const found = /^ARG NODE_IMAGE=(\S+)@(sha256:[0-9a-f]{64})$/m.exec(text);
  if (found?.[1] === undefined || found[2] === undefined)
    throw new CommandProblem('deploy/Dockerfile does not name its base as NODE_IMAGE=name:tag@sha256:…');
  return { name: found[1], digest: found[2] };
}

function needTools(): void {
  const missing = ['buildah', 'unshare', 'setpriv', 'redis-server', 'redis-cli'].filter(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
  );
  if (missing.length > 0) {
    throw new CommandProblem(`${missing.join(', ')} cannot be found; the check needs Linux with them.`, {
      ways: ['Debian, Ubuntu: apt-get install buildah debootstrap util-linux redis-server'],
    });
  }
  if (process.getuid?.() !== 0) {
    throw new CommandProblem('The check mounts and changes users, so it needs to be root.', {
      ways: ['buildah unshare ./vortex image check', 'or as root'],
    });
  }
}

function versionOfPackage(): string {
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

function revision(): string {
  const { stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: repositoryRoot, encoding: 'utf8' });
  return stdout.trim() || 'unknown';
}

function show(report: ImageReport): void {
  const { stack } = report;
  const cell = (value: number | null) => (value === null ? '' : String(value)).padStart(10);
  console.log(
    `Image: ${report.megabytes} MB${report.build_s === null ? '' : `, built in ${report.build_s} s`}`,
  );
  console.log(
    `${'container'.padEnd(18)}${['ready ms', 'RSS MB', 'drain ms', 'exit code'].map((title) => title.padStart(10)).join('')}`,
  );
  for (const one of stack.services) {
    const cells = [one.ready_ms, one.resident_mb, one.drain_ms, one.exit_code].map(cell).join('');
    console.log(`${one.name.padEnd(18)}${cells}`);
  }
  const { first_answer: first, under_drain: drain } = stack;
  console.log(
    `Stack ready after ${stack.stack_ready_ms} ms; first question ${first.status} with ${first.citations} citations in ${first.ms} ms`,
  );
  console.log(`While a generator drained: ${drain.answered} of ${drain.asked} questions answered`);
  console.log(`Not run here (needs an engine, or another server): ${report.not_run.join(', ')}`);
  for (const problem of report.problems) console.log(`problem: ${problem}`);
  console.log(report.problems.length === 0 ? 'Everything holds.' : `${report.problems.length} problems`);
}
