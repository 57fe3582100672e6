import { afterAll } from 'vitest';
import { createStage, type Stage } from './harness.ts';

export interface StagePool {
  /** Lends a stage, and a build that nobody else has on it. */
  use(action: (stage: Stage, build: number) => Promise<void>): Promise<void>;
}

/** Stages that are used again and again in one file: making a world takes longer than most steps in it. */
export function stagePool(): StagePool {
  const idle: Stage[] = [];
  const made: Stage[] = [];
  let builds = 0;

  afterAll(async () => {
    await Promise.all(made.map((stage) => stage[Symbol.asyncDispose]()));
  });

  return {
    use: async (action) => {
      let stage = idle.pop();
      if (stage === undefined) {
        stage = await createStage();
        made.push(stage);
      }
      builds += 1;
      await action(stage, builds);
      // What a failed test left behind is nobody else's problem: its stage is not lent again.
      idle.push(stage);
    },
  };
}
