import { type Command, Option } from 'commander';
import { commandOf, decimal, instanceCommandOf, jsonObject, wholeNumber } from './command-options.ts';
import { createTerminal } from './terminal.ts';

const strategies = ['structure', 'sentence', 'fixed'];

/** The commands around documents: `ingest`, `search`, `documents`, `collections`, `jobs`. */
export function addDocumentCommands(program: Command): void {
  instanceCommandOf(program, 'ingest', 'read files into a collection')
    .argument('<path...>', 'files, folders with all below them, or patterns in quotes')
    .option('--collection <name>', 'made when it is missing', 'default')
    .option('--watch', 'go on with what changes, until Ctrl-C', false)
    .option('--delete', 'with --watch: a file that goes takes its document with it', false)
    .addOption(chunkSizeOption())
    .addOption(chunkOverlapOption())
    .addOption(strategyOption())
    .option('--metadata <json>', 'kept with every document, for filters; an object or @file', jsonObject)
    .addOption(
      new Option('--if-exists <what>', 'when a document of that name is there').choices([
        'replace',
        'skip',
        'error',
      ]),
    )
    .option('--json', 'the result, for programs', false)
    .action(async (paths, options) => {
      const { ingestFiles } = await import('./ingest/ingest-files.ts');
      if (!(await ingestFiles(paths, options, createTerminal()))) process.exitCode = 1;
    });

  instanceCommandOf(program, 'search', 'find passages; no model is called')
    .argument('<question>', 'in words')
    .option('--collection <name>', 'documents to look in')
    .addOption(
      new Option('--mode <mode>', 'by vectors, by words, or both').choices(['dense', 'sparse', 'hybrid']),
    )
    .option('--top-k <count>', 'passages', wholeNumber(1, 200))
    .option('--filter <json>', 'condition on the metadata; an object or @file', jsonObject)
    .option('--neighbours <count>', 'so many passages around each', wholeNumber(0, 5))
    .option('--json', 'the whole answer, for programs', false)
    .action(async (question, options) => {
      const { search } = await import('./search-command.ts');
      await search(question, options);
    });

  addDocuments(commandOf(program, 'documents', 'list, show and delete documents'));
  addCollections(commandOf(program, 'collections', 'list, show, make, change and delete collections'));
  addJobs(commandOf(program, 'jobs', 'list, show, cancel and repeat jobs'));
}

function addDocuments(documents: Command): void {
  instanceCommandOf(documents, 'list', 'newest first')
    .option('--collection <name>', 'only of this one')
    .addOption(
      new Option('--state <state>').choices(['pending', 'processing', 'ready', 'failed', 'deleting']),
    )
    .option('--q <text>', 'a part of title, file name or external id')
    .option('--limit <count>', 'at most', wholeNumber(1, 100_000), 100)
    .option('--json', 'for programs', false)
    .action(async (options) => (await import('./documents-command.ts')).listDocuments(options));

  instanceCommandOf(documents, 'show', 'all about one')
    .argument('<id>')
    .addOption(new Option('--text', 'print the extracted text').conflicts(['chunks', 'content']))
    .addOption(new Option('--chunks', 'print its chunks').conflicts('content'))
    .option('--content', 'write the original bytes to standard output')
    .option('--json', 'for programs', false)
    .action(async (id, options) => (await import('./documents-command.ts')).showDocument(id, options));

  instanceCommandOf(documents, 'delete', 'those named, or those that all given conditions fit')
    .argument('[id...]')
    .option('--collection <name>', 'those of this collection')
    .addOption(new Option('--state <state>').choices(['pending', 'processing', 'ready', 'failed']))
    .option('--q <text>', 'those with this in title, file name or external id')
    .option('--filter <json>', 'those whose metadata fits; an object or @file', jsonObject)
    .option('--dry-run', 'only say which', false)
    .option('-y, --yes', 'without asking', false)
    .option('--json', 'for programs', false)
    .action(async (ids, options) =>
      (await import('./documents-command.ts')).deleteDocuments(ids, options, createTerminal()),
    );
}

function addCollections(collections: Command): void {
  instanceCommandOf(collections, 'list', 'all of them')
    .option('--json', 'for programs', false)
    .action(async (options) => (await import('./collections-command.ts')).listCollections(options));

  instanceCommandOf(collections, 'show', 'all about one')
    .argument('<name>')
    .option('--json', 'for programs', false)
    .action(async (name, options) =>
      (await import('./collections-command.ts')).showCollection(name, options),
    );

  collectionSettings(instanceCommandOf(collections, 'create', 'make an empty one'))
    .option('--model <name>', 'refused when the encoder has another')
    .action(async (name, options) =>
      (await import('./collections-command.ts')).createCollection(name, options),
    );

  collectionSettings(instanceCommandOf(collections, 'update', 'change its defaults, for what comes'))
    .option('--reset <setting...>', 'back to the default: relevance_floor, chunk_size …')
    .action(async (name, options) =>
      (await import('./collections-command.ts')).updateCollection(name, options),
    );

  instanceCommandOf(collections, 'delete', 'with all its documents')
    .argument('<name>')
    .option('-y, --yes', 'without asking', false)
    .option('--json', 'for programs', false)
    .action(async (name, options) =>
      (await import('./collections-command.ts')).deleteCollection(name, options, createTerminal()),
    );
}

function collectionSettings(command: Command): Command {
  return command
    .argument('<name>')
    .option('--relevance-floor <cosine>', 'below it a question is refused', decimal(-1, 1))
    .addOption(chunkSizeOption())
    .addOption(chunkOverlapOption())
    .addOption(strategyOption())
    .option('--json', 'for programs', false);
}

function addJobs(jobs: Command): void {
  instanceCommandOf(jobs, 'list', 'newest first')
    .addOption(
      new Option('--state <state>').choices([
        'queued',
        'processing',
        'retrying',
        'completed',
        'failed',
        'cancelled',
      ]),
    )
    .option('--collection <name>', 'only of this one')
    .option('--limit <count>', 'at most', wholeNumber(1, 100_000), 50)
    .option('--json', 'for programs', false)
    .action(async (options) => (await import('./jobs-command.ts')).listJobs(options));

  instanceCommandOf(jobs, 'show', 'all about one')
    .argument('<id>')
    .option('--follow', 'until it has ended; exits 1 when it did not complete', false)
    .option('--json', 'for programs', false)
    .action(async (id, options) => {
      const { showJob } = await import('./jobs-command.ts');
      if (!(await showJob(id, options))) process.exitCode = 1;
    });

  instanceCommandOf(jobs, 'cancel', 'stop it and take away what it stored')
    .argument('<id...>')
    .option('--json', 'for programs', false)
    .action(async (ids, options) => (await import('./jobs-command.ts')).cancelJobs(ids, options));

  instanceCommandOf(jobs, 'retry', 'run a failed or cancelled one again')
    .argument('<id...>')
    .option('--json', 'for programs', false)
    .action(async (ids, options) => (await import('./jobs-command.ts')).retryJobs(ids, options));
}

const chunkSizeOption = () =>
  new Option('--chunk-size <tokens>', 'tokens of a chunk at most').argParser(wholeNumber(16, 100_000));
const chunkOverlapOption = () =>
  new Option('--chunk-overlap <tokens>', 'tokens neighbours share').argParser(wholeNumber(0, 100_000));
const strategyOption = () => new Option('--strategy <name>', 'where texts are cut').choices(strategies);
