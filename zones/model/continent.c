/* SPDX-License-Identifier: Apache-2.0 */
/* Continents and the countries on them. See continent.h. */
#include "zones/model/continent.h"

#include <string.h>

static const char continent_codes[CONTINENT_COUNT][3] = {"--", "AF", "AN", "AS", "EU", "NA", "OC", "SA"};

enum continent continent_from_code(uint16_t code)
{
	for (int i = 1; i < CONTINENT_COUNT; i++)
		if (code == (uint16_t)(continent_codes[i][0] << 8 | continent_codes[i][1]))
			return (enum continent)i;
	return CONTINENT_NONE;
}

/* Country codes by continent (ISO 3166-1; continents as in UN M49, transcontinental countries as mmdb files have them).
 */
static const char *const continent_countries[CONTINENT_COUNT] = {
	[CONTINENT_NONE] = "",
	[CONTINENT_AF] = "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML "
			 "MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW ",
	[CONTINENT_AN] = "AQ BV GS HM TF ",
	[CONTINENT_AS] = "AE AF AM AZ BD BH BN BT CC CN CX GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM "
			 "MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TM TR TW UZ VN YE ",
	[CONTINENT_EU] = "AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT "
			 "LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK ",
	[CONTINENT_NA] = "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA "
			 "PM PR SV SX TC TT US VC VG VI ",
	[CONTINENT_OC] = "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO TV UM VU WF WS ",
	[CONTINENT_SA] = "AR BO BR CL CO EC FK GF GY PE PY SR UY VE ",
};

enum continent continent_of_country(uint16_t country)
{
	char code[4] = {(char)(country >> 8), (char)(country & 0xff), ' ', '\0'};
	if (code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z')
		return CONTINENT_NONE;
	for (int i = 1; i < CONTINENT_COUNT; i++)
		if (strstr(continent_countries[i], code) != NULL)
			return (enum continent)i;
	return CONTINENT_NONE;
}
