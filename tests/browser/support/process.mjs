// A program of the project as a process, until the end of the tests at most.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const running = new Set();
process.on('exit', () => running.forEach(child => child.kill('SIGKILL')));

/// Starts `binary` and waits for the first line that it prints: `line`.
export async function startProcess(binary, args, env = process.env) {
  const started = new Process(spawn(binary, args, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
  await started.firstLine();
  return started;
}

class Process {
  #child;

  constructor(child) {
    this.#child = child;
    /// What it has logged, for messages of failed tests.
    this.log = '';
    /// How it ended: `{code, signal}`.
    this.ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    running.add(child);
    this.ended.then(() => running.delete(child), () => running.delete(child));
    child.stderr.on('data', text => { this.log += text; });
  }

  async firstLine() {
    const lines = createInterface({ input: this.#child.stdout });
    [this.line] = await Promise.race([
      once(lines, 'line'),
      this.ended.then(end => {
        throw new Error(`${this.#child.spawnfile} did not start (${JSON.stringify(end)}): ${this.log}`);
      }),
    ]);
  }

  /// Sends it a signal; resolves to how it ended.
  end(signal) {
    this.#child.kill(signal);
    return this.ended;
  }
}
