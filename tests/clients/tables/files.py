"""Libraries that read and write files."""

from __future__ import annotations

RULE = "file"

ROWS = [
    {
        "name": "h5py",
        "needs": "h5py",
        "call": "h5py.File(PATH, 'w').close()",
        "found": "h5py.File",
    },
    {
        "name": "netCDF4",
        "needs": "netCDF4",
        "call": "netCDF4.Dataset(PATH, 'w').close()",
        "found": "netCDF4.Dataset",
    },
    {
        "name": "pyarrow's parquet",
        "needs": "pyarrow",
        "setup": """
            import pyarrow.parquet

            TABLE = pyarrow.table({"a": [1]})
        """,
        "call": "pyarrow.parquet.write_table(TABLE, PATH)",
        "found": "pyarrow.parquet.write_table",
    },
    {
        "name": "numpy.fromfile",
        "needs": "numpy",
        "call": "numpy.fromfile(__file__, dtype='u1')",
        "found": "numpy.fromfile",
    },
    {
        "name": "numpy.load",
        "needs": "numpy",
        "setup": """
            @pytest.fixture(autouse=True)
            def saved():
                numpy.save(PATH + ".npy", numpy.zeros(1))
        """,
        "call": "numpy.load(PATH + '.npy')",
        "found": "numpy.load",
    },
    {
        "name": "opencv",
        "needs": "cv2",
        "call": "cv2.imread(__file__)",
        "found": "cv2.imread",
    },
    {
        "name": "Pillow",
        "needs": "PIL",
        "setup": """
            import PIL.Image

            @pytest.fixture(autouse=True)
            def saved():
                PIL.Image.new("1", (1, 1)).save(PATH + ".png")
        """,
        "call": "PIL.Image.open(PATH + '.png').close()",
        "found": "PIL.Image.open",
    },
    {
        "name": "joblib",
        "needs": "joblib",
        "call": "joblib.dump({}, PATH)",
        "found": "joblib.dump",
    },
    {
        "name": "pandas",
        "needs": "pandas",
        "setup": """
            @pytest.fixture(autouse=True)
            def saved():
                pathlib.Path(PATH).write_text("a,b")
        """,
        "call": "pandas.read_csv(PATH)",
        "found": "pandas.read_csv",
    },
]
