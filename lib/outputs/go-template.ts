import type { Turns } from './turns';

/**
 * Turns as a template in the language of Ollama, Go's text/template over `.System`, `.Messages` and `.Think`. Line ends
 * of the layout are trimmed away by the dashes, which touch no text of the model's.
 */
export function goTemplate(turns: Turns): string {
  const { promptWithoutThinking: off } = turns;
  const prompt = literal(turns.prompt);
  const answer =
    off === null ? prompt : `{{ if and $.IsThinkSet (not $.Think) }}${literal(off)}{{ else }}${prompt}{{ end }}`;
  return [
    `{{- if .System }}${literal(turns.systemHead)}{{ .System }}${literal(turns.systemTail)}{{ else }}${literal(turns.head)}{{ end }}`,
    '{{- range $i, $_ := .Messages }}',
    '{{- $last := eq (len (slice $.Messages $i)) 1 }}',
    `{{- if eq .Role "user" }}{{ .Content }}{{ if $last }}${answer}{{ else }}${literal(turns.toAnswer)}{{ end }}`,
    `{{- else if eq .Role "assistant" }}{{ .Content }}{{ if not $last }}${literal(turns.toUser)}{{ end }}`,
    '{{- end }}',
    '{{- end }}',
  ].join('\n');
}

/** Text of a template: braces would begin an action, also together with the braces of the one that follows. */
function literal(text: string): string {
  return text.replace(/\{+/gu, (braces) => `{{ "${braces}" }}`);
}
