import { stopTestServer } from './database.ts'

/** For `npx mocha FILE` and for `run.ts` alike: what the database tests started is stopped and removed at the end. */
export const mochaHooks = {
  beforeEach(this: Mocha.Context): void {
    if (process.env.ATOM_RUNS) this.currentTest?.timeout(0)
  },
  async afterAll(this: Mocha.Context): Promise<void> {
    this.timeout(30_000)
    await stopTestServer()
  },
}
