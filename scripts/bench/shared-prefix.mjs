/** With how many tokens all prompts begin, the last of none among them. */
export function sharedPrefix(prompts) {
  const [first, ...others] = prompts;
  const isShared = (i) => others.every((tokens) => i < tokens.length - 1 && tokens[i] === first[i]);
  let length = 0;
  while (length < first.length - 1 && isShared(length)) ++length;
  return length;
}
