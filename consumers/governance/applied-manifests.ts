import { parseDocument } from '../../platform/document.ts'
import { isFields, type Manifest, manifestsInText } from './manifests.ts'
import type { Command, Pipeline } from './shell.ts'
import { invocation } from './shell-commands.ts'
import { staticOutput } from './shell-decoding.ts'

const MOST_TEXTS = 50
const MOST_TEXT = 200_000

/** Manifests that shell commands bring themselves: fed to `kubectl apply -f -`, or written into a file for it. */
export function appliedTexts(pipelines: readonly Pipeline[]): string[] {
  const found: string[] = []
  for (const pipeline of pipelines)
    for (const [index, command] of pipeline.entries()) {
      const text = readsManifest(command)
        ? (ownText(command) ?? staticOutput(pipeline.slice(0, index))?.text)
        : writesManifest(command)
          ? ownText(command)
          : overriddenPod(command)
      if (text == null || text.length > MOST_TEXT || !/\bkind\b/.test(text) || !/\bapiVersion\b/.test(text)) continue
      found.push(text)
      if (found.length === MOST_TEXTS) return found
    }
  return found
}

/** The objects of these texts, placed at the command. */
export const appliedManifests = (pipelines: readonly Pipeline[], pointer: string): Manifest[] =>
  appliedTexts(pipelines).flatMap((text) => manifestsInText(text, pointer))

const ownText = ({ heredoc, redirects }: Command): string | null =>
  heredoc ?? redirects.find(({ op }) => op === '<<<')?.target.text ?? null

function readsManifest(command: Command): boolean {
  const { name, args } = invocation(command)
  const words = args.map(({ text }) => text)
  return (
    /^(?:kubectl|oc|k3s|microk8s|k0s|kubecolor)$/.test(name) &&
    words.some((text) => /^(?:apply|create|replace|delete)$/.test(text)) &&
    words.some((text) => /^(?:-|\/dev\/stdin|-f-|--filename=(?:-|\/dev\/stdin))$/.test(text))
  )
}

const writesManifest = (command: Command): boolean =>
  /^(?:cat|tee)$/.test(invocation(command).name) &&
  [...command.redirects.map(({ target }) => target), ...command.words].some(({ text }) =>
    /\.(?:ya?ml|json)$/.test(text),
  )

/** `kubectl run a --overrides='{...}'`: a pod of its own, whatever the other options say. */
function overriddenPod(command: Command): string | null {
  const { name, args } = invocation(command)
  if (name !== 'kubectl' && name !== 'oc') return null
  const words = args.map(({ text }) => text)
  const given =
    words.find((text) => text.startsWith('--overrides='))?.slice('--overrides='.length) ??
    words[words.indexOf('--overrides') + 1]
  if (!words.includes('run') || given?.startsWith('{') !== true) return null
  const parsed = parseDocument(Buffer.from(given.slice(0, MOST_TEXT)), {})
  return parsed.ok && isFields(parsed.value) ? JSON.stringify({ apiVersion: 'v1', kind: 'Pod', ...parsed.value }) : null
}
