import type { Fact } from '../facts.ts'
import { excerpt } from '../masking.ts'
import { invocation } from '../shell-commands.ts'
import type { Finding, Rule } from './rule.ts'

/** WPK-P2-003: the image behind a tag can change after the review. Advice only. */
export const unpinnedImage: Rule = {
  id: 'WPK-P2-003',
  version: 1,
  name: 'image not pinned',
  severity: 'medium',
  about:
    'Images of handlers, manifests and `kubectl run` that are named without a digest: what a tag points to can change after the review. No tag or `latest` is medium, another tag low; a name made of variables is silent. Advice: it never holds a package by itself.',
  remediation: 'Refer to the image by digest (name@sha256:...).',
  hygiene: true,
  check: (view) => view.facts.flatMap((fact) => imagesOf(fact).flatMap((image) => judge(fact, image))),
}

function imagesOf(fact: Fact): string[] {
  if (fact.kind === 'image') return [fact.text]
  if (fact.kind !== 'command') return []
  return fact.pipelines.flat().flatMap((command) => {
    const { name, args } = invocation(command)
    const texts = args.map((word) => word.text)
    const kubectl = name === 'kubectl' && texts[0] === 'run' ? /^--image=(.+)$/ : null
    return kubectl === null ? [] : texts.flatMap((text) => kubectl.exec(text)?.[1] ?? [])
  })
}

function judge(fact: Fact, image: string): Finding[] {
  // A name made of variables says nothing here; a digest says all.
  if (/[${]|^\s*$/.test(image) || /@sha256:[0-9a-f]{64}$/.test(image)) return []
  const tag = /:([\w][\w.-]{0,127})$/.exec(image.slice(image.lastIndexOf('/') + 1))?.[1] ?? ''
  const moving = tag === '' || tag === 'latest'
  return [
    {
      pointer: fact.pointer,
      severity: moving ? 'medium' : 'low',
      confidence: 'high',
      message: `the image ${excerpt(image)} is ${moving ? 'the latest of the moment' : 'named by a tag, not by digest'}`,
      matched: image,
    },
  ]
}
