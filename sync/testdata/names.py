"""Names to draw from: common Danish ones, with the letters æ, ø, å and é that a wrong encoding spoils."""

WOMEN = (
    "Anne", "Kirsten", "Mette", "Hanne", "Helle", "Søs", "Bodil", "Åse", "Ærtha", "Sofie", "Freja", "Maja",
    "Karla", "Ingeborg", "Signe", "Solvej", "Jytte", "Birthe", "Gudrun", "Ellen", "Asta", "Josefine", "Pernille",
    "Lærke", "Bjørk", "Désirée", "Agnes", "Tove", "Rikke", "Camilla", "Anne-Sofie", "Vibeke",
)  # fmt: skip
MEN = (
    "Jens", "Peter", "Søren", "Jørgen", "Bjørn", "Åge", "Kåre", "Magnus", "Rasmus", "Anders", "Knud", "Erik",
    "Gorm", "Svend", "Niels", "Mikkel", "Frederik", "Emil", "Oskar", "Torbjørn", "Hjalmar", "Viggo", "André",
    "Villads", "Mads", "Holger", "Karl-Åge", "Steen", "Ove", "Ejvind", "Bo", "Ib",
)  # fmt: skip
MIDDLE = ("", "", "", "", "Bøgh", "Kjær", "Møller", "Damgaard", "Østergård", "Bang", "Lund", "Skov")
SURNAMES = (
    "Prøvesen", "Testrup", "Mønsterbæk", "Eksempelsen", "Opdigt", "Fiktivsen", "Skyggelund", "Nørreprøve",
    "Øvegård", "Æblegren", "Ålekvist", "Søprøve", "Tænkehøj", "Påfundsen", "Digterholm", "Ingenmand",
    "Kulissen", "Attrapgaard", "Modelsen", "Skinbjerg", "Låneås", "Sandkasse", "Prøvestorm", "Demohøj",
)  # fmt: skip
OCCUPATIONS = (
    "", "", "Sygehjælper", "Tømrer", "Lærer", "Ekspedient", "Pædagog", "Smed", "Landmand", "Kok", "Ingeniør",
    "Pensionist", "Gartner", "Chauffør",
)  # fmt: skip
ROADS = (
    "Prøvevej", "Øvelsesstræde", "Ærøvej", "Ålegade", "Søndre Testvej", "Kirkestræde", "Skovbrynet", "Møllebakken",
    "Højdevej", "Strandparken", "Rådhuspladsen", "Bøgelunden", "Fyrretræet", "Gåsebakken",
)  # fmt: skip
TOWNS = ("", "", "Prøvested", "Øster Test", "Ålebæk")
"""Surnames and towns speak for themselves: nobody should take these people for real ones."""
