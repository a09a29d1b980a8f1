import { isWatched, openScreen, type Screen } from '@vortex/terminal';
import type { LiveView } from '../live-view.ts';
import { type RunScene, renderRun } from './render-run.ts';

const longestHistory = 400;

/**
 * The full-screen view for a terminal; null when `out` is none, or when plain lines are better (CI). What is to stay
 * is printed when the terminal has been given back. Ctrl-C comes as SIGINT, which whoever runs the test listens to.
 */
export function createLiveView(
  out: NodeJS.WriteStream,
  env: NodeJS.ProcessEnv = process.env,
  input: NodeJS.ReadStream = process.stdin,
): LiveView | null {
  if (!isWatched(out, env)) return null;
  let scene: RunScene | undefined;
  let screen: Screen | undefined;
  const draw = () => {
    if (scene !== undefined && screen !== undefined) screen.draw(renderRun(scene, screen.size()));
  };
  return {
    start(config) {
      scene = { config, snapshot: null, achieved: [], p95Ms: [], notes: [] };
      screen = openScreen({ output: out, input, env });
      screen.onResize(draw);
      draw();
    },
    update(snapshot) {
      if (scene === undefined) return;
      const { achieved, p95Ms } = scene;
      scene = {
        ...scene,
        snapshot,
        achieved: [...achieved, snapshot.achievedPerSecond].slice(-longestHistory),
        p95Ms: [...p95Ms, snapshot.window.p95Ms].slice(-longestHistory),
      };
      draw();
    },
    note(line) {
      // Before the start there is no screen to lose it on.
      if (scene === undefined) out.write(`${line}\n`);
      else scene = { ...scene, notes: [...scene.notes, line] };
      draw();
    },
    end() {
      screen?.close();
      for (const note of scene?.notes ?? []) out.write(`${note}\n`);
      screen = undefined;
      scene = undefined;
    },
  };
}
