import { main } from './command/main.ts';

/** The load tester alone, without the `vortex` command: `node loadtest/src/main.ts --url http://…`. */
process.exitCode = await main(process.argv.slice(2));
