// Several sessions at work at once give what one gives alone.
import { open, prompts, say } from './common.mjs';

const sessions = await Promise.all(Array.from({ length: 4 }, () => open()));
const tokens = prompts(sessions[0], 6);
const answer = (session) => session.generate(tokens, { maxTokens: 8 });
const [alone] = [await answer(sessions[0])];
const together = await Promise.all(sessions.map(answer));
const twice = await Promise.all([answer(sessions[0]), answer(sessions[0])]);
say('answers', { alone: alone.texts, others: [...together, ...twice].map(({ texts }) => texts) });
for (const session of sessions) session.close();
