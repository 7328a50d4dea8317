import { readFile } from 'node:fs/promises'

/** The shipped package that `POST /analyze {"id":"sample"}` judges. */
export const SAMPLE_FILE = 'docs/examples/restart-workers.yaml'

/** The exact bytes of the shipped package (YAML). */
export const readSample = (): Promise<Buffer> => readFile(new URL(`../../${SAMPLE_FILE}`, import.meta.url))
