import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { runRules } from '../../../consumers/governance/judge.ts'
import { readPackage } from '../../../consumers/governance/read-package.ts'

const folder = new URL('../../../docs/examples/', import.meta.url)
/** The weaknesses that each of our packages has, and nothing else: what a reader would say of it too. */
const EXPECTED: Record<string, readonly string[]> = {
  // Every namespace is meant.
  'restart-workers.yaml': ['WPK-P5-002 medium /spec/triggers/0/config/namespace'],
  // It tells of success only, and two limits disagree.
  'scale-web.json': [
    'WPK-P4-001 medium /spec/monitoring/alerts',
    'WPK-P3-013 low /spec/handlers/1/config/max_replicas',
  ],
  // What was revoked cannot be rolled back.
  'rotate-database-secret.yaml': ['WPK-P3-002 medium /spec/handlers/2'],
  // By itself, without approval or a way back, and on events that it makes.
  'requeue-failed-jobs.yaml': [
    'WPK-P3-001 critical /spec/safety/mode',
    'WPK-P3-002 medium /spec/safety',
    'WPK-P3-013 low /spec/triggers/0',
  ],
  'check-backups.json': ['WPK-P3-001 critical /spec/safety/mode', 'WPK-P3-002 medium /spec/safety'],
}

describe('our own packages in the five shapes', () => {
  for (const [file, expected] of Object.entries(EXPECTED)) {
    it(`${file} has exactly the findings that a reader agrees with`, () => {
      const read = readPackage(
        readFileSync(new URL(file, folder)),
        file.endsWith('.json') ? 'application/json' : 'application/yaml',
      )
      if (!read.ok) throw new Error(JSON.stringify(read.errors))
      const found = runRules(read.wpk).violations
      expect(found.map(({ rule_id, severity, pointer }) => `${rule_id} ${severity} ${pointer}`)).to.deep.equal(expected)
    })
  }
})
