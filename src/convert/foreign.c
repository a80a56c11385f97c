/* Signatures of files that convert does not read: tables of other programs, archives, models, pictures. A
 * cure tells how to make a readable file, mostly as a command, with %1$s for the name of the file. */
#include "convert/foreign.h"

#include <string.h>
#include <strings.h>

#define PANDAS(read) "python3 -c \"import pandas; pandas." read ".to_csv('new.csv', index=False)\""
#define SCIPY(read) "python3 -c \"import numpy, scipy.io as s; numpy.save('new.npy', s." read ")\""

typedef struct {
    size_t at, n;
    const char *magic;
    const char *what, *cure; /* %1$s in the cure stands for the file's name */
} signature;

static const signature signatures[] = {
    {0, 7, "ARROW1\0", "an Arrow (Feather) table", PANDAS("read_feather('%1$s')")},
    {0, 5, "FEA1\0", "a Feather table", PANDAS("read_feather('%1$s')")},
    {0, 4, "Obj\1", "an Avro file", "python3 with fastavro and pandas: write a CSV file"},
    {0, 16, "SQLite format 3\0", "an SQLite database", "sqlite3 -csv -header '%1$s' 'select * from TABLE' >new.csv"},
    {0, 10, "MATLAB 5.0", "a Matlab file of version 5 to 7",
     SCIPY("loadmat('%1$s')['NAME']") ", or in Matlab save -v7.3"},
    {0, 5, "RDX2\n", "an R workspace (.RData)", "Rscript -e 'load(\"%1$s\"); write.csv(NAME, \"new.csv\")'"},
    {0, 5, "RDX3\n", "an R workspace (.RData)", "Rscript -e 'load(\"%1$s\"); write.csv(NAME, \"new.csv\")'"},
    {0, 3, "X\n\0", "an R object (.rds)", "Rscript -e 'write.csv(readRDS(\"%1$s\"), \"new.csv\")'"},
    {0, 6, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "7z x '%1$s'"},
    {0, 5, "Rar!\x1a", "a RAR archive", "unrar x '%1$s'"},
    {0, 4, "\x04\x22\x4d\x18", "compressed by lz4", "lz4 -d '%1$s' new"},
    {0, 2, "\x1f\x9d", "compressed by compress", "gunzip '%1$s'"},
    {0, 3, "]\0\0", "compressed by lzma", "unlzma -k '%1$s'"},
    {0, 3, "\x1f\x8b\x08", "compressed twice", "gunzip it once"},
    {4, 6, "1AY&SY", "compressed twice", "unpack it once, or bunzip2 what is in it"},
    {4, 6, "\x17\x72\x45\x38\x50\x90", "compressed twice", "unpack it once"},
    {0, 6,
     "\xfd"
     "7zXZ\0",
     "compressed twice", "unpack it once"},
    {0, 4, "\x28\xb5\x2f\xfd", "compressed twice", "unpack it once"},
    {257, 5, "ustar", "a tar archive", "tar -xf '%1$s'"},
    {0, 4, "CDF\1", "a NetCDF file of the classic format", "nccopy -k nc4 '%1$s' new.h5"},
    {0, 4, "CDF\2", "a NetCDF file of the classic format", "nccopy -k nc4 '%1$s' new.h5"},
    {0, 4, "CDF\5", "a NetCDF file of the classic format", "nccopy -k nc4 '%1$s' new.h5"},
    {0, 9, "SIMPLE  =", "a FITS file", "python3 with astropy.io.fits: numpy.save('new.npy', DATA)"},
    {0, 8, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook", PANDAS("read_excel('%1$s')")},
    {0, 8, "$FL2@(#)", "an SPSS file", PANDAS("read_spss('%1$s')")},
    {0, 11, "<stata_dta>", "a Stata file", PANDAS("read_stata('%1$s')")},
    {0, 5, "%PDF-", "a PDF document", "save the table as CSV in the program that made it"},
    {0, 4, "\x89PNG", "a picture", "python3: numpy.save('new.npy', the stack of all pictures)"},
    {0, 3, "\xff\xd8\xff", "a picture", "python3: numpy.save('new.npy', the stack of all pictures)"},
    {0, 5, "GIF89", "a picture", "python3: numpy.save('new.npy', the stack of all pictures)"},
    {0, 5, "GIF87", "a picture", "python3: numpy.save('new.npy', the stack of all pictures)"},
    {0, 4, "II*\0", "a TIFF picture", "python3: numpy.save('new.npy', tifffile.imread('%1$s'))"},
    {0, 4, "MM\0*", "a TIFF picture", "python3: numpy.save('new.npy', tifffile.imread('%1$s'))"},
    {0, 4, "\xff\xfe\0\0", "text in UTF-32", "iconv -f UTF-32 -t UTF-8 '%1$s' >new.csv"},
    {0, 4, "\0\0\xfe\xff", "text in UTF-32", "iconv -f UTF-32 -t UTF-8 '%1$s' >new.csv"},
    {0, 23, "version https://git-lfs", "a Git LFS pointer, not the file itself", "git lfs pull"},
};

static dc_status fail(const dc_stream *s, const char *what, const char *cure)
{
    char command[1024];
    const char *mark = strstr(cure, "%1$s");
    if (mark)
        snprintf(command, sizeof command, "%.*s%s%s", (int)(mark - cure), cure, s->name, mark + 4);
    else
        snprintf(command, sizeof command, "%s", cure);
    return DC_FAIL(DC_ERR_DATA, "%s: is %s, which convert does not read; make a file that it reads: %s", s->name, what,
                   command);
}

/* Refuses a zip archive; the name of its first member tells what the archive is. */
static dc_status refuse_zip(const dc_stream *s, const char *p, size_t n)
{
    enum { NAME_AT = 30 };
    const size_t length =
        n > NAME_AT ? DC_MIN((size_t)((unsigned char)p[26] | (unsigned char)p[27] << 8), n - NAME_AT) : 0;
    const char *name = p + NAME_AT;
    if (length == 11 && memcmp(name, "indices.npy", 11) == 0)
        return fail(s, "a sparse matrix of SciPy (.npz)",
                    "python3 -c \"import scipy.io, scipy.sparse; "
                    "scipy.io.mmwrite('new.mtx', scipy.sparse.load_npz('%1$s'))\"");
    if (length >= 4 && memcmp(name + length - 4, ".npy", 4) == 0)
        return fail(
            s, "a zip archive of arrays (.npz)",
            "python3 -c \"import numpy; z = numpy.load('%1$s'); print(z.files); numpy.save('new.npy', z['NAME'])\"");
    if ((length >= 3 && memcmp(name, "xl/", 3) == 0) || (length >= 6 && memcmp(name, "[Conte", 6) == 0))
        return fail(s, "a zip archive of an Excel workbook (.xlsx)", PANDAS("read_excel('%1$s')"));
    if (length >= 8 && memcmp(name + length - 8, "data.pkl", 8) == 0)
        return fail(s, "a zip archive of PyTorch tensors",
                    "python3 -c \"import numpy, torch; numpy.save('new.npy', torch.load('%1$s').numpy())\"");
    return fail(s, "a zip archive", "unzip '%1$s'");
}

/* Whether this is a Parquet file: PAR1 and then the first byte of a page, or PAR1 at both ends if the buffer holds the
 * whole file. */
static bool is_parquet(const dc_stream *s, const char *p, size_t n)
{
    if (n < 5 || memcmp(p, "PAR1", 4) != 0) return false;
    return p[4] == '\x15' || (s->end && n >= 12 && memcmp(p + n - 4, "PAR1", 4) == 0);
}

/* Whether this is a pickle of protocol 2 to 5: byte 0x80, the protocol number, then an opcode. */
static bool is_pickle(const unsigned char *p, size_t n)
{
    return n >= 3 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5 && strchr("\x95}]c(q\x8a\x8cKXU", p[2]) && p[2];
}

/* The first character that is not a blank, 0 at the end. */
static char after_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    return p < end ? *p : '\0';
}

/* Refuses text that is not a table: the first word after blanks and ARFF comments shows what it is. */
static dc_status refuse_text(const dc_stream *s, const char *p, size_t n)
{
    const char *end = p + n;
    if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) p += 3;
    for (;;) {
        while (p < end && strchr(" \t\r\n", *p) && *p) p++;
        if (p == end || *p != '%') break;
        while (p < end && *p != '\n') p++;
    }
    const size_t left = (size_t)(end - p);
    if (left >= 9 && strncasecmp(p, "@relation", 9) == 0)
        return fail(s, "an ARFF table (Weka)",
                    "python3 -c \"import pandas, scipy.io.arff as a; "
                    "pandas.DataFrame(a.loadarff('%1$s')[0]).to_csv('new.csv', index=False)\"");
    const char next = after_blanks(p + 1, end);
    if (left >= 2 && *p == '{' && (next == '"' || next == '}'))
        return DC_FAIL(DC_ERR_DATA,
                       "%s: is JSON: if its lines are documents, say --text-column=KEY; if they hold numbers, make a "
                       "table of them: python3 -c \"import pandas; pandas.read_json('%s', lines=True)"
                       ".to_csv('new.csv', index=False)\"",
                       s->name, s->name);
    if (left >= 2 && *p == '[' && (next == '[' || next == '{')) return fail(s, "JSON", PANDAS("read_json('%1$s')"));
    if (left >= 2 && *p == '<' && (p[1] == '?' || p[1] == '!' || (left >= 5 && strncasecmp(p, "<html", 5) == 0)))
        return fail(s, "XML or HTML (a web page in place of the file?)", "download it again, or save the table as CSV");
    return DC_OK;
}

dc_status dc_foreign_refuse_binary(const dc_stream *s)
{
    const char *p = (const char *)dc_stream_data(s);
    const size_t n = dc_stream_available(s);
    if (n >= 4 && memcmp(p, "PK\3\4", 4) == 0) return refuse_zip(s, p, n);
    if (n >= 14 && strncasecmp(p, "%%MatrixMarket", 14) == 0)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: is a sparse matrix (Matrix Market), but the first input is not: convert them to "
                       "files of their own",
                       s->name);
    if (is_parquet(s, p, n)) return fail(s, "a Parquet table", PANDAS("read_parquet('%1$s')"));
    if (is_pickle((const unsigned char *)p, n))
        return fail(s, "a Python pickle",
                    "python3 -c \"import numpy, pickle; numpy.save('new.npy', pickle.load(open('%1$s', 'rb')))\", "
                    "only if you trust it");
    for (size_t i = 0; i < DC_COUNT_OF(signatures); i++) {
        const signature *g = &signatures[i];
        if (n >= g->at + g->n && memcmp(p + g->at, g->magic, g->n) == 0) return fail(s, g->what, g->cure);
    }
    return DC_OK;
}

dc_status dc_foreign_refuse(const dc_stream *s)
{
    const dc_status st = dc_foreign_refuse_binary(s);
    return st == DC_OK ? refuse_text(s, (const char *)dc_stream_data(s), dc_stream_available(s)) : st;
}
