import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { collect, commandOf, decimal, instanceCommandOf, wholeNumber } from './command-options.ts';
import { addDeadCommands } from './dead-commands.ts';
import { addDocumentCommands } from './document-commands.ts';
import { repositoryRoot } from './folders.ts';
import { addKeyCommands } from './key-commands.ts';
import { addObserveCommands } from './observe/observe-commands.ts';
import { addReplicaCommands } from './replica-commands.ts';
import { createTerminal } from './terminal.ts';

/**
 * The commands and their options. What a command does is loaded when it is chosen: `status` must not wait
 * for a test runner to load.
 */
export function buildProgram(): Command {
  const program = new Command('vortex')
    .description(
      'Vortex answers questions from your documents, with citations: a RAG pipeline on Redis lists.',
    )
    .version(versionLine(), '-V, --version')
    .showHelpAfterError('(vortex help, or vortex help COMMAND, says more)')
    .showSuggestionAfterError()
    .helpCommand('help [command]', 'what a command does and takes')
    .exitOverride();

  command('up', 'start everything, in the foreground until Ctrl-C')
    .option('--port <port>', 'port of the gateway', wholeNumber(1, 65_535), 8000)
    .option('--host <address>', 'address the gateway listens on', '127.0.0.1')
    .option('--data <folder>', 'data folder (default: data in the checkout)')
    .option('--detach', 'return as soon as everything is ready', false)
    .option('--replicas <count>', 'llm-generators', wholeNumber(1, 32), 3)
    .option('--gateways <count>', 'gateways, which share the port (not on macOS)', wholeNumber(1, 32), 1)
    .addOption(
      new Option('--llm <kind>', 'language model').choices(['mock', 'ollama', 'openai']).default('mock'),
    )
    .option('--no-demo', "leave Vortex's own documentation out")
    .option('-y, --yes', 'install what is missing without asking', false)
    .option('--set <section.key=value>', 'a setting (docs/03-configuration.md); repeatable', collect, [])
    .option('--observe', 'watch it with Prometheus, Alertmanager and the Redis exporter', false)
    .addOption(
      new Option(
        '--observe-speed <factor>',
        'for drills: windows and waits of the rules so many times shorter',
      )
        .argParser(decimal(1, 60))
        .default(1),
    )
    .action(async (options) => {
      const { up } = await import('./up.ts');
      await up(options, createTerminal());
    });

  command('down', 'drain and stop the instance of a data folder')
    .option('--data <folder>', 'its data folder')
    .action(async (options) => {
      const { down } = await import('./down.ts');
      await down(options, createTerminal());
    });

  command('restart', 'restart services of a running instance one by one, without losing a question')
    .argument('[services...]', 'as status names them (default: every worker and gateway, not Redis)')
    .option('--data <folder>', 'data folder of the instance (default: data in the checkout)')
    .option('--json', 'what was restarted, for programs', false)
    .action(async (services, options) => {
      const { restart } = await import('./restart-command.ts');
      if (!(await restart(services, options, createTerminal()))) process.exitCode = 1;
    });

  instanceCommand('status', 'what runs, how it is, what waits')
    .option('--json', 'for programs', false)
    .action(async (options) => {
      const { showStatus } = await import('./status-command.ts');
      if (!(await showStatus(options))) process.exitCode = 1;
    });

  instanceCommand('top', 'the same as a live view: stages, depths, ages, replicas, breakers, rates')
    .option('--interval <seconds>', 'between two looks', decimal(0.2, 3600), 1)
    .option('--once', 'one plain snapshot, with rates, and out', false)
    .option('--json', 'a line of JSON for each look', false)
    .action(async (options) => (await import('./top/top-command.ts')).top(options));

  instanceCommand('ask', 'ask a question')
    .argument('<question>', 'in words')
    .option('--collection <name>', 'documents to answer from')
    .option('--top-k <count>', 'passages to look at', wholeNumber(1, 50))
    .option('--json', 'the whole answer, for programs', false)
    .action(async (question, options) => {
      const { ask } = await import('./ask.ts');
      await ask(question, options);
    });

  instanceCommand(
    'explain',
    'how the answer to a past query came about: time, tries, ranks, prompt, citations',
  )
    .argument('<id>', 'of the answer (its field id), or of an asynchronous query')
    .option('--json', 'for programs', false)
    .action(async (id, options) => {
      const { explain } = await import('./explain-command.ts');
      await explain(id, options);
    });

  addDocumentCommands(program);
  addReplicaCommands(program);
  addDeadCommands(program);
  addKeyCommands(program);
  addObserveCommands(program);

  instanceCommand('audit', 'compare stored rows and files with the registry; exits 1 when they differ')
    .option('--collection <name>', 'this one only (default: all)')
    .option('--repair', 'remove what belongs to nothing', false)
    .option('--json', 'the report, for programs', false)
    .action(async (options) => {
      const { audit } = await import('./audit-command.ts');
      if (!(await audit(options))) process.exitCode = 1;
    });

  instanceCommand('bench', 'measure; exits 1 when a bound is missed')
    .addArgument(
      program
        .createArgument('<kind>', 'what to measure')
        .choices([
          'attack',
          'cache',
          'chain',
          'encoder',
          'query',
          'explain',
          'floor',
          'ingest',
          'ingest-accept',
          'observe',
          'overload',
          'search',
          'tenants',
          'timings',
        ]),
    )
    .option('--dataset <folder>', 'query, ingest, search: a folder in BEIR format')
    .option('--json', 'figures for programs', false)
    .action(async (kind, options) => {
      const { runBench } = await import('./run-bench.ts');
      if (!(await runBench(kind, options, createTerminal()))) process.exitCode = 1;
    });

  // Its flags are the load tester's own, which also runs alone; its exit codes too (1 is "called wrongly").
  command('loadtest', 'load on a gateway, by default 50 questions in flight for 30 s, and what it did to it')
    .argument('[flags...]', 'see: loadtest --help; or: compare A B, self-check')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      const { loadtest } = await import('./loadtest-command.ts');
      process.exitCode = await loadtest(words);
    });

  command('chaos', 'faults on servers of its own: nothing lost, nothing stuck; exits 1 when one did not hold')
    .option('--list', 'the scenarios, and what must hold in each', false)
    .option('--only <name>', 'this one only; repeatable', collect, [])
    .option('--jobs <count>', 'jobs in all scenarios together', wholeNumber(100, 1_000_000), 10_000)
    .option('--json', 'the report, for programs', false)
    .action(async (options) => {
      const { chaos } = await import('./chaos/chaos-command.ts');
      if (!(await chaos(options, createTerminal()))) process.exitCode = 1;
    });

  command('eval', 'how well a labelled set of questions finds its documents, in a private stack')
    .requiredOption('--dataset <folder>', 'in BEIR format: corpus.jsonl, queries.jsonl, qrels.tsv')
    .addOption(
      new Option('--mode <mode...>', 'only these ways of searching').choices(['dense', 'sparse', 'hybrid']),
    )
    .addOption(new Option('--model <model>', 'encoder').choices(['all-minilm-l6-v2', 'bge-small-en-v1.5']))
    .option('--json', 'figures for programs', false)
    .action(async (options) => {
      const { evaluate } = await import('./eval/eval-command.ts');
      await evaluate(options, createTerminal());
    });

  command('sbom', 'the bill of materials of what runs, as CycloneDX JSON').action(async () => {
    const { makeSbom } = await import('./supply-chain/sbom.ts');
    console.log(JSON.stringify(makeSbom(), null, 2));
  });

  command('model', 'put the embedding model into a folder: for an image, or a machine without network')
    .requiredOption('--to <folder>', 'the models folder')
    .addOption(new Option('--model <model>', 'encoder').choices(['all-minilm-l6-v2', 'bge-small-en-v1.5']))
    .action(async (options) => {
      const { fetchModel } = await import('./model-command.ts');
      await fetchModel(options, createTerminal());
    });

  command('image', 'the container image; needs Linux, root and buildah')
    .addArgument(program.createArgument('<what>', 'build it and run its containers here').choices(['check']))
    .option('--make-base', 'make a stand-in for the base image when it is not here', false)
    .option('--no-build', 'take the image of the last check')
    .option('--json', 'the report, for programs', false)
    .action(async (_what, options) => {
      const { checkImage } = await import('./image/image-command.ts');
      if (!(await checkImage(options, createTerminal()))) process.exitCode = 1;
    });

  instanceCommand('doctor', 'what is wrong here, and what to type next').action(async (options) => {
    const { doctor } = await import('./doctor.ts');
    if (!(await doctor(options))) process.exitCode = 1;
  });

  command('test', 'install what is needed and run every check and test')
    .option('--only <suites>', 'comma-separated: check, pure, redis, valkey, store, e2e')
    .option('-y, --yes', 'install what is missing without asking', false)
    .action(async (options) => {
      const { runTests } = await import('./test/run-tests.ts');
      if (!(await runTests(options, createTerminal()))) process.exitCode = 1;
    });

  command('config', 'the settings that services would start with, secrets masked')
    .addArgument(program.createArgument('<what>', 'print them').choices(['print']))
    .option('--data <folder>', 'data folder of the instance (default: data in the checkout)')
    .option('--service <name>', 'this one only (default: all)')
    .option('--set <section.key=value>', 'as up takes it; repeatable', collect, [])
    .option('--json', 'for programs', false)
    .action(async (_what, options) => {
      const { printConfig } = await import('./config-command.ts');
      printConfig(options);
    });

  command('version', 'version of Vortex and of its Node').action(() => console.log(versionLine()));

  return program;

  function command(name: string, about: string): Command {
    return commandOf(program, name, about);
  }

  function instanceCommand(name: string, about: string): Command {
    return instanceCommandOf(program, name, about);
  }
}

function versionLine(): string {
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  return `vortex ${version} (Node ${process.versions.node})`;
}
