using System.Globalization;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Tests.Metadata;

/// <summary>The metadata of a CT series as an archive sends it: indented, some 6.4 KB per instance, few values differ by slice.</summary>
internal static class CtSeries
{
    public static readonly Uid Study = Uid.Parse("1.2.826.0.1.3680043.8.1055.1.20111102150758591.92402465.76095170");
    public static readonly Uid Series = Uid.Parse("1.2.826.0.1.3680043.8.1055.1.20111102150758591.96842950.17877442");
    public static readonly SeriesPath Path = new(Study, Series);

    /// <summary>A UID as archives generate it: a root, a time, and unordered numbers.</summary>
    public static Uid InstanceUid(int number)
    {
        var random = new Random(number);
        return Uid.Parse(string.Create(
            CultureInfo.InvariantCulture,
            $"1.2.826.0.1.3680043.8.1055.1.20111102150758591.{random.Next(10_000_000, 99_999_999)}.{random.Next(10_000_000, 99_999_999)}"));
    }

    /// <summary>The UIDs and datasets of the instances, in slice order.</summary>
    public static List<(Uid Uid, byte[] Json)> Instances(int count) =>
        [.. Enumerable.Range(1, count).Select(n => (InstanceUid(n), Instance(n)))];

    private static byte[] Instance(int number)
    {
        var random = new Random(number * 7919);
        var position = -218.5 + number * 1.25;
        var json = new StringBuilder("{\n");
        void Add(string tag, string vr, params object[] values)
        {
            if (json.Length > 2) json.Append(",\n");
            var text = string.Join(
                ",\n",
                values.Select(
                    v => "\t\t\t\t" + (v is string s ? $"\"{s}\"" : ((IFormattable)v).ToString(null, CultureInfo.InvariantCulture))));
            json.Append(
                CultureInfo.InvariantCulture,
                $"\t\t\"{tag}\" : \n\t\t{{\n\t\t\t\"Value\" : \n\t\t\t[\n{text}\n\t\t\t],\n\t\t\t\"vr\" : \"{vr}\"\n\t\t}}");
        }

        Add("00080005", "CS", "ISO_IR 192");
        Add("00080008", "CS", "ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI");
        Add("00080012", "DA", "20111102");
        Add("00080013", "TM", string.Create(CultureInfo.InvariantCulture, $"1509{number % 60:00}.{random.Next(1_000_000):000000}"));
        Add("00080016", "UI", "1.2.840.10008.5.1.4.1.1.2");
        Add("00080018", "UI", InstanceUid(number).ToString());
        Add("00080020", "DA", "20111102");
        Add("00080021", "DA", "20111102");
        Add("00080022", "DA", "20111102");
        Add("00080023", "DA", "20111102");
        Add("00080030", "TM", "150758.591000");
        Add("00080031", "TM", "150802.237000");
        Add("00080032", "TM", string.Create(CultureInfo.InvariantCulture, $"1508{number % 60:00}.{random.Next(1_000_000):000000}"));
        Add("00080033", "TM", string.Create(CultureInfo.InvariantCulture, $"1508{number % 60:00}.{random.Next(1_000_000):000000}"));
        Add("00080050", "SH", "2819497684894126");
        Add("00080060", "CS", "CT");
        Add("00080070", "LO", "SIEMENS");
        Add("00080080", "LO", "Example Hospital");
        Add("00081010", "SH", "CT54321");
        Add("00081030", "LO", "Thorax^01_ThoraxRoutine (Adult)");
        Add("0008103E", "LO", "ThorRoutine  5.0  B41f");
        Add("00081090", "LO", "Sensation 64");
        Add("00081190", "UR", $"\uFFFF/{new InstancePath(Study, Series, InstanceUid(number))}");
        Add("00100020", "LO", "MR-0012345");
        Add("00100030", "DA", "19551117");
        Add("00100040", "CS", "F");
        Add("00101010", "AS", "055Y");
        Add("00180015", "CS", "CHEST");
        Add("00180022", "CS", "SPIRAL MODE");
        Add("00180050", "DS", 5.0);
        Add("00180060", "DS", 120);
        Add("00180090", "DS", 500.0);
        Add("00181020", "LO", "syngo CT 2009E");
        Add("00181100", "DS", 380.0);
        Add("00181110", "DS", 1040.0);
        Add("00181111", "DS", 570.0);
        Add("00181120", "DS", 0.0);
        Add("00181130", "DS", 158.0);
        Add("00181150", "IS", 500);
        Add("00181151", "IS", random.Next(120, 260));
        Add("00181152", "IS", random.Next(60, 130));
        Add("00181170", "IS", random.Next(14, 32));
        Add("00181190", "DS", 1.2);
        Add("00181210", "SH", "B41f");
        Add("00189345", "FD", Math.Round(random.NextDouble() * 12, 6));
        Add("0020000D", "UI", Study.ToString());
        Add("0020000E", "UI", Series.ToString());
        Add("00200010", "SH", "1");
        Add("00200011", "IS", 2);
        Add("00200012", "IS", 2);
        Add("00200013", "IS", number);
        Add("00200032", "DS", -189.62890625, -358.62890625, position);
        Add("00200037", "DS", 1, 0, 0, 0, 1, 0);
        Add("00200052", "UI", "1.2.826.0.1.3680043.8.1055.1.20111102150758591.23296050.69180943");
        Add("00201040", "LO", "");
        Add("00201041", "DS", position);
        Add("00280002", "US", 1);
        Add("00280004", "CS", "MONOCHROME2");
        Add("00280010", "US", 512);
        Add("00280011", "US", 512);
        Add("00280030", "DS", 0.7421875, 0.7421875);
        Add("00280100", "US", 16);
        Add("00280101", "US", 12);
        Add("00280102", "US", 11);
        Add("00280103", "US", 0);
        Add("00280106", "US", 0);
        Add("00280107", "US", random.Next(1800, 4096));
        Add("00281050", "DS", 40, -500);
        Add("00281051", "DS", 400, 1500);
        Add("00281052", "DS", -1024);
        Add("00281053", "DS", 1);
        json.Append(",\n\t\t\"7FE00010\" : \n\t\t{\n\t\t\t\"BulkDataURI\" : \"\uFFFF/")
            .Append(new InstancePath(Study, Series, InstanceUid(number)))
                .Append("/bulkdata/east/bulk/7fe00010\",\n\t\t\t\"vr\" : \"OW\"\n\t\t}\n\t}");
        return Encoding.UTF8.GetBytes(json.ToString());
    }
}
