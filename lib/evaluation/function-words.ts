// Words that say nothing by themselves and make up a third of all prose. Names, code, lists, and what is in a cipher have
// none of them, so that nothing is taken for a language that is not prose in it.
const words: Readonly<Record<string, string>> = {
  English:
    'a an the no of and to in is it you for with that or be are this on as can by your was have not what how do does i my from at if they will would should which there about me give',
  German:
    'der die das und ist zu den mit ein eine nicht von sie ich wie auf für es im dem des auch als an wird sind sich kann oder wenn man aus bei nach einen einer du dass',
  French:
    'le la les et des un une du que en est pour dans vous il au ce qui sur pas avec par plus ne je sont ou votre être cette peut comment nous aux',
  Spanish:
    'el la los las y que en un una es se del por con para no su al lo como más o puede cómo son este esta si tu sus pero hay',
  Italian:
    'il la di che e un una per in non con è del della i le si da come sono al alla lo nel gli più dei può ma questo anche o',
  Portuguese:
    'o a os as e que um uma em do da é para com não por se no na dos das como mais ou ao você pode são seu sua isso ser',
  Dutch:
    'de het een en van is te dat die in op voor met zijn niet je aan om als er ook hoe of kan worden uit door bij naar deze',
};
const languages = Object.entries(words).map(([name, list]) => ({ name, known: new Set(list.split(' ')) }));

/**
 * The language of prose in Latin letters, by its function words: English, German, French, Spanish, Italian, Portuguese or
 * Dutch. Null where they are few, or as many of another language.
 *
 * @param fewest - Function words, different ones.
 */
export function languageOf(text: string, fewest: number): string | null {
  const all = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  const counts = languages
    .map(({ name, known }) => {
      const found = all.filter((word) => known.has(word));
      return { name, n: found.length, different: new Set(found).size };
    })
    .sort((a, b) => b.n - a.n);
  const [most, next] = counts as [(typeof counts)[0], (typeof counts)[0]];
  const clear = most.n >= 0.2 * all.length && most.n >= 1.5 * next.n;
  return clear && most.different >= fewest ? most.name : null;
}
