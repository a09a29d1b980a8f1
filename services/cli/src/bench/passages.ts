import { seededRandom } from '@vortex/routing';

/**
 * Passages and questions made from a seed, for benchmarks that must run anywhere: plain English about
 * invented machines, about 190 tokens each (what an abstract has), no two alike, and for each question
 * one passage that holds its answer.
 */
export interface BenchDocument {
  id: string;
  title: string;
  text: string;
}
export interface BenchQuestion {
  id: string;
  text: string;
}

const makers = [
  'Aldermoor',
  'Brightwater',
  'Castellan',
  'Dunmore',
  'Eastfield',
  'Fenwick',
  'Garrow',
  'Halden',
  'Ironbridge',
  'Juniper',
];
const machines = [
  'heat pump',
  'centrifuge',
  'grain dryer',
  'tidal turbine',
  'paper mill roller',
  'cable winch',
  'glass furnace',
  'ice resurfacer',
  'rotary kiln',
  'wind tunnel',
  'telescope mount',
  'milking robot',
  'snow cannon',
  'tram bogie',
];
const parts = [
  'main bearing',
  'inlet valve',
  'drive belt',
  'pressure gauge',
  'rotor seal',
  'coolant pump',
  'control board',
  'exhaust flap',
];
const materials = [
  'bronze',
  'ceramic',
  'stainless steel',
  'carbon fibre',
  'cast iron',
  'nitrile rubber',
  'titanium',
];
const places = [
  'Norway',
  'the Azores',
  'Patagonia',
  'the Scottish Highlands',
  'Hokkaido',
  'the Baltic coast',
  'Lesotho',
  'the Rhine valley',
];
const faults = [
  'overheats',
  'vibrates',
  'leaks',
  'stalls',
  'loses pressure',
  'rattles at start',
  'draws too much current',
];
const remedies = [
  'tightening the four outer bolts',
  'flushing the circuit with clean water',
  'replacing the filter cartridge',
  'lowering the set point by two degrees',
  'cleaning the sensor with a dry cloth',
  'realigning the coupling',
];
const seasons = ['early spring', 'late autumn', 'the dry season', 'midwinter', 'harvest time'];

export function makePassages(
  count: number,
  seed = 1,
): { documents: BenchDocument[]; questions: BenchQuestion[] } {
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const documents: BenchDocument[] = [];
  const questions: BenchQuestion[] = [];

  for (let index = 0; index < count; index++) {
    const maker = pick(makers);
    const machine = pick(machines);
    const model = `${maker} ${String.fromCharCode(65 + between(0, 25))}${1000 + index}`;
    const [part, other] = [pick(parts), pick(parts)];
    const [fault, remedy, place, material] = [pick(faults), pick(remedies), pick(places), pick(materials)];
    const [hours, pressure, year, crew] = [
      between(2, 96) * 50,
      between(12, 180) / 10,
      between(1962, 2024),
      between(2, 9),
    ];
    const text = [
      `The ${model} is a ${machine} that was first installed in ${place} in ${year}.`,
      `Its ${part} is made of ${material} and must be inspected every ${hours} operating hours.`,
      `Operators report that the ${machine} ${fault} when the ${other} is worn, most often in ${pick(seasons)}.`,
      `In that case ${remedy} is usually enough, and a crew of ${crew} can finish the work within one shift.`,
      `The working pressure is ${pressure.toFixed(1)} bar; above that the safety circuit of the ${model} opens by itself.`,
      `Compared with the older series, the ${maker} engineers moved the ${part} to the service side,`,
      `so that it can be reached without taking the ${other} apart.`,
      `A survey of ${between(14, 90)} installations found that ${between(60, 97)} per cent ran for a whole year without an unplanned stop.`,
      `Spare parts are kept in ${pick(places)} and reach most customers within ${between(2, 12)} days.`,
      `Before the first start, the ${other} should be filled, the ${part} turned by hand, and the log book of the ${machine} signed.`,
    ].join(' ');
    documents.push({ id: `passage-${index + 1}`, title: `${model} ${machine}`, text });
    questions.push({
      id: `question-${index + 1}`,
      text: pick([
        `How often must the ${part} of the ${model} be inspected?`,
        `What helps when the ${model} ${machine} ${fault}?`,
        `In which year and place was the ${model} first installed?`,
        `What is the working pressure of the ${model}?`,
      ]),
    });
  }
  return { documents, questions };
}
