import { execute, type Tx } from '../../platform/db.ts'
import type { Verdict } from '../../schemas/verdict.ts'

/** Keeps a verdict beside those of other rule sets and models on the same version; the same one again changes nothing. */
export async function keepVerdict(
  tx: Tx,
  { org, id, digest }: { org: string; id: string; digest: string },
  verdict: Verdict,
  now: Date,
): Promise<void> {
  await execute(
    tx,
    `insert into governance.verdicts (org, version_id, digest, ruleset, model_sha256, risk_score, decision, verdict, judged_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (org, version_id, ruleset, model_sha256) do nothing`,
    [
      org,
      id,
      digest,
      verdict.ruleset,
      verdict.model?.sha256 ?? '',
      verdict.risk_score,
      verdict.decision,
      JSON.stringify(verdict),
      now,
    ],
  )
}
