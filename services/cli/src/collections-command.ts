import type { ChunkingStrategy, UpdateCollectionRequest } from '@vortex/contracts';
import { harmlessLines } from '@vortex/terminal';
import { CommandProblem } from './problem.ts';
import { table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { describeFields, type InstanceOptions, isWanted, printJson, useGateway } from './use-gateway.ts';

interface CollectionSettings extends InstanceOptions {
  relevanceFloor?: number;
  chunkSize?: number;
  chunkOverlap?: number;
  strategy?: ChunkingStrategy;
  json: boolean;
}

export async function listCollections(options: InstanceOptions & { json: boolean }): Promise<void> {
  const { collections } = await useGateway(options, (client) => client.collections.list());
  if (options.json) return printJson({ collections });
  if (collections.length === 0) return console.log('No collections.');
  console.log(
    table(
      ['collection', 'documents', 'chunks', 'KB', 'model', 'floor', 'chunk size', 'overlap', 'strategy'],
      collections.map((collection) => [
        collection.name,
        collection.documents,
        collection.chunks,
        Math.ceil(collection.bytes / 1000),
        collection.model,
        collection.relevance_floor,
        collection.chunk_size,
        collection.chunk_overlap,
        collection.chunking_strategy,
      ]),
    ),
  );
}

export async function showCollection(
  name: string,
  options: InstanceOptions & { json: boolean },
): Promise<void> {
  const collection = await useGateway(options, (client) => client.collections.get(name));
  if (options.json) printJson(collection);
  else console.log(describeFields(collection));
}

export async function createCollection(
  name: string,
  options: CollectionSettings & { model?: string },
): Promise<void> {
  const request = {
    name,
    ...(options.model !== undefined && { model: options.model }),
    ...settingsOf(options),
  };
  const collection = await useGateway(options, (client) => client.collections.create(request));
  if (options.json) printJson(collection);
  else console.log(`Collection ${collection.name} is there.`);
}

const resettable = ['relevance_floor', 'chunk_size', 'chunk_overlap', 'chunking_strategy'] as const;

/** @throws CommandProblem (exit 2) when nothing is to be changed, or an unknown setting to be reset */
export async function updateCollection(
  name: string,
  options: CollectionSettings & { reset?: string[] },
): Promise<void> {
  const request: UpdateCollectionRequest = settingsOf(options);
  for (const setting of options.reset ?? []) {
    const known = resettable.find((one) => one === setting.replaceAll('-', '_'));
    if (known === undefined) {
      throw new CommandProblem(`There is no setting ${setting}.`, {
        ways: [`Settings: ${resettable.join(', ')}`],
        exitCode: 2,
      });
    }
    request[known] = null;
  }
  if (Object.keys(request).length === 0) {
    throw new CommandProblem('Nothing is to be changed.', {
      ways: ['--relevance-floor, --chunk-size, --chunk-overlap, --strategy, or --reset SETTING'],
      exitCode: 2,
    });
  }
  const collection = await useGateway(options, (client) => client.collections.update(name, request));
  if (options.json) printJson(collection);
  else console.log(describeFields(collection));
}

export async function deleteCollection(
  name: string,
  options: InstanceOptions & { yes: boolean; json: boolean },
  terminal: Terminal,
): Promise<void> {
  await useGateway(options, async (client) => {
    const { documents } = await client.collections.get(name);
    const question = `Delete the collection ${name} with its ${documents} document${documents === 1 ? '' : 's'}?`;
    if (!(await isWanted(question, { yes: options.yes, mustBeAsked: true }, terminal))) return;
    const deleted = await client.collections.delete(name);
    if (options.json) printJson(deleted);
    else console.log(harmlessLines(deleted.message));
  });
}

function settingsOf(options: CollectionSettings): UpdateCollectionRequest {
  const { relevanceFloor, chunkSize, chunkOverlap, strategy } = options;
  return {
    ...(relevanceFloor !== undefined && { relevance_floor: relevanceFloor }),
    ...(chunkSize !== undefined && { chunk_size: chunkSize }),
    ...(chunkOverlap !== undefined && { chunk_overlap: chunkOverlap }),
    ...(strategy !== undefined && { chunking_strategy: strategy }),
  };
}
