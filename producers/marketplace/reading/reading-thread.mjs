// A worker thread does not get the TypeScript loader of the process on Node 20, so it registers its own first.
import { register } from 'tsx/esm/api'

register()
await import('./reading-thread.ts')
