import type { Handler } from '../../platform/bus/runner.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import type { Analyzer } from './analyzer.ts'
import { onSubmitted } from './on-submitted.ts'
import { onRescanRequested } from './rescans/on-rescan-requested.ts'

/** What the analyzer reacts to, as the consumer group `governance`. */
export const governanceHandlers = (deps: { db: Db; analyzer: Analyzer; now: Clock }): Handler[] => [
  onSubmitted(deps),
  onRescanRequested(deps),
]
