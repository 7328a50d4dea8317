import { readArtifact } from '../../platform/artifacts.ts'
import type { Db } from '../../platform/db.ts'
import type { Origin } from '../../schemas/origin.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import type { Analyzer } from './analyzer.ts'
import { judgedOrHeld } from './held-verdict.ts'
import { asSubmitted } from './outside-checks.ts'

/** The verdict on a stored version (held with the reason when it cannot be judged), or null without its bytes. */
export async function judgeStored(
  { db, analyzer }: { db: Db; analyzer: Pick<Analyzer, 'analyze'> },
  { org, digest, media_type, origin }: { org: string; digest: string; media_type: string; origin?: Origin | undefined },
): Promise<Verdict | null> {
  const bytes = await db.transaction((tx) => readArtifact(tx, org, digest))
  if (bytes === null) return null
  const analyze = () => analyzer.analyze(bytes, media_type, { urgent: true })
  // The marketplace has read it as a package: that this rule set's reader does not is for a person to see.
  return asSubmitted(await judgedOrHeld(bytes, analyze, ['wpk_malformed']), origin)
}
