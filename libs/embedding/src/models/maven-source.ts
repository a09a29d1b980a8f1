import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ModelSource, onnxFile, type SourceRequest, silenceWatch, tokenizerFile } from './source.ts';
import { readZipEntry } from './zip-reader.ts';

const copyGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy';

/**
 * Maven Central through `mvn`, with whatever mirror and proxy its settings name: LangChain4j's embedding
 * jars carry the same int8 files. Everything goes to a local repository of its own (40 MB, plugin
 * included, 5 s on a good line), so that nothing is left in `~/.m2` and its growth is the progress.
 */
export function mavenSource(command = 'mvn'): ModelSource {
  return {
    name: `Maven Central through ${command}`,
    async fetch(request) {
      const jars = join(request.folder, 'jars');
      await runMaven(command, request, jars);
      const [jar] = (await readdir(jars)).filter((name) => name.endsWith('.jar'));
      if (jar === undefined) throw new Error(`${command} ended well but copied no jar`);
      const archive = await readFile(join(jars, jar));
      const { onnxEntry, tokenizerEntry } = request.model.maven;
      await mkdir(dirname(join(request.folder, onnxFile)), { recursive: true });
      await writeFile(join(request.folder, onnxFile), readZipEntry(archive, onnxEntry));
      await writeFile(join(request.folder, tokenizerFile), readZipEntry(archive, tokenizerEntry));
    },
  };
}

async function runMaven(command: string, request: SourceRequest, jars: string): Promise<void> {
  const repository = join(request.folder, 'repository');
  const child = spawn(
    command,
    [
      '--batch-mode',
      copyGoal,
      `-Dmaven.repo.local=${repository}`,
      `-Dartifact=${request.model.maven.artifact}`,
      '-Dtransitive=false',
      `-DoutputDirectory=${jars}`,
    ],
    // A folder without a pom.xml: the user's own project must not take part.
    { cwd: request.folder, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let failure: Error | undefined;
  let lastError = '';
  const watch = silenceWatch(request.silenceMs, () => {
    failure = new Error(`no sign of life for ${request.silenceMs / 1000} s`);
    child.kill('SIGKILL');
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      watch.touch();
      lastError = /\[ERROR\] (.*)/.exec(text)?.[1] ?? lastError;
    });
  }
  // `mvn` prints nothing during a download; its files grow.
  let bytes = 0;
  let ended = false;
  const growth = setInterval(() => {
    void folderBytes(repository).then((now) => {
      if (ended || now === bytes) return;
      bytes = now;
      watch.touch();
      request.onBytes({ file: 'jar and Maven plugin', bytes, totalBytes: null });
    });
  }, 250);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        reject(error.code === 'ENOENT' ? new Error(`${command} is not installed`) : error);
      });
      child.once('close', (code) => {
        if (code === 0) resolve();
        else reject(failure ?? new Error(lastError || `${command} ended with code ${code}`));
      });
    });
  } finally {
    ended = true;
    clearInterval(growth);
    watch.stop();
  }
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    // A `.part` file may have been renamed since the listing.
    const file = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    bytes += file?.size ?? 0;
  }
  return bytes;
}
