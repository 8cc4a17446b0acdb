import { languageOf } from './function-words';

// Letters that tell languages apart by themselves. Japanese mixes three, Korean may hold Han, so each is one group.
const scripts: readonly RegExp[] = [
  /\p{Script=Latin}/gu,
  /\p{Script=Cyrillic}/gu,
  /\p{Script=Greek}/gu,
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}]/gu,
  /\p{Script=Arabic}/gu,
  /\p{Script=Hebrew}/gu,
  /\p{Script=Thai}/gu,
  /\p{Script=Devanagari}/gu,
  /[\p{Script=Bengali}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Gujarati}\p{Script=Gurmukhi}\p{Script=Kannada}\p{Script=Malayalam}]/gu,
  /[\p{Script=Armenian}\p{Script=Georgian}\p{Script=Ethiopic}\p{Script=Khmer}\p{Script=Lao}\p{Script=Myanmar}]/gu,
];

// What asks for another language, or for something that is written in one: in English, then as stems that languages share.
const asksForLanguage = [
  /\b(?:languages?|multilingual|bilingual|trilingual|translat\w*|transliterat\w*|alphabets?|letters? of|scripts?\b.{0,20}\b(?:of|in|writ)|spell(?:ed|ing)?\b|pronounc\w*|say .{1,40} in|haiku|kanji|hiragana|katakana|hangul|pinyin|cyrillic|romaji|unicode|foreign|vocabulary|phrasebook|motto|scripture|mantra)\b/iu,
  /(?:tradu[cicç]|trad[uú][cz]|übersetz|oversett|oversæt|översätt|vertal|vertaa|tłumacz|přelož|prelož|çevir|terjemah|sprache|langue|idioma|lingua|język|jazyk|язык|мов[аиоу]|перев[оеё]|перекл|语言|語言|言語|翻译|翻譯|翻訳|언어|번역|لغة|ترجم|שפה|תרגם|भाषा|अनुवाद|ภาษา|แปล|γλώσσα|μετάφρ)/iu,
  /\b(?:german|deutsch|aleman|allemand|tedesc|austria|österreich|swiss|switzer|french|france|fran[cç]|franzö|spanish|spain|español|españa|espagn|spanisch|mexic|latin|italian|ital[iy]|português|portug|brazil|brasil|dutch|nederland|netherland|holl[aä]nd|belgi|flemish|engl|angl|ingl|ingles|europ)/iu,
  /(?:\bchin|mandarin|cantones|taiwan|hong kong|japan|japon|giappon|\bkore|\bcore[ae]|coreano|russ|ruso\b|\brusk|rosyj|ukrain|ucrain|ucran|belarus|serb|bulgar|macedon|mongol|kazakh|soviet|\bgree[ck]|\bgreco|griech|grieg|hellen|\bgrec|\barab|\bhebr|ebraic|jewish|yiddish|israel|torah|talmud|persi|farsi|\biran|urdu|pakistan|\bquran|koran|islam|muslim|\bthai|tailand|\bhind[iu]|\bindia|sanskrit|marathi|nepal|bengal|bangla|tamil|telugu|gujarat|punjab|kannada|malayalam|armeni|georgia|ethiop|amharic|khmer|cambodia|\blao|burm|myanmar|китай|япон|корей|русск|英语|英文|中文|日语|日本語|한국어|영어)/iu,
];

// Letters: with fewer a name or a word that is quoted may be all that there is.
const latin = 0;
const fewest = { asked: 10, answer: 24, functionWords: 4 };
// Of the answer's letters outside of code and quotation marks.
const mostShare = 0.6;

/**
 * Whether an answer is in another language than what was asked, although that asks for no language and speaks of no people
 * that has another: mostly in a script that nothing before is in, or in another of the few languages in Latin letters that
 * {@link languageOf} knows. When in doubt it is not.
 *
 * @param asked - Everything before the answer: request, earlier turns, system prompts.
 */
export function isInOtherLanguage(asked: string, answer: string): boolean {
  if (asksForLanguage.some((pattern) => pattern.test(asked))) return false;
  return isInOtherScript(asked, answer) || isInOtherLatin(asked, withoutQuotations(answer));
}

/** Both halves have to be: an answer that begins or ends with a quotation or an example is not meant. */
function isInOtherLatin(asked: string, answer: string): boolean {
  const before = languageOf(asked, 2);
  if (before === null) return false;
  const halves = [answer.slice(0, answer.length / 2), answer.slice(answer.length / 2)];
  const [first, second] = halves.map((half) => languageOf(half, fewest.functionWords));
  return first !== null && first === second && first !== before;
}

function isInOtherScript(asked: string, answer: string): boolean {
  const said = withoutQuotations(answer);
  const [before, after] = [lettersOf(asked), lettersOf(said)];
  const total = sum(after);
  if (sum(before) < fewest.asked || total < fewest.answer) return false;
  const other = after.filter(
    (_, script) => before[script] === 0 && (script !== latin || languageOf(said, fewest.functionWords) !== null),
  );
  return sum(other) > mostShare * total;
}

/** How many letters of each script. */
function lettersOf(text: string): number[] {
  return scripts.map((script) => text.match(script)?.length ?? 0);
}

function withoutQuotations(text: string): string {
  return text
    .replace(/```[\s\S]*?(?:```|$)/gu, ' ')
    .replace(/`[^`]*`|"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|「[^」]*」|^>.*$/gmu, ' ');
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
