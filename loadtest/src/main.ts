import { main } from './command/main.ts';

/** The load tester alone, without the `vortex` command: `node loadtest/src/main.ts --url http://…`. */
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // A folder that cannot be written, a full disk.
  console.error(`loadtest: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
