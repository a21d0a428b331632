using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Proxy.Dicom;
using Proxy.Metadata;
using static Proxy.Tests.Metadata.DicomMetadataStoreTests;

namespace Proxy.Tests.Metadata;

/// <summary>Files of old versions with their expected content.</summary>
internal static class Golden
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 2, 12, 0, 0, TimeSpan.Zero);

    public static string Folder([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "Golden");

    /// <summary>The content of <c>study-1.txt</c>: the head, the metadata of east, the rows of west, each in base64.</summary>
    public static Study Study()
    {
        var row = Series("1.2.1", 2, "DOE^JANE");
        var east = new Series(Uid.Parse("1.2.1"))
        {
            Summary = row,
            SummaryCount = 2,
            Metadata = Pack("1.2.1.1", "1.2.1.2"),
            MetadataConfirmedAt = Noon,
            MetadataValidators = new("W/\"a\"", "Wed, 21 Oct 2015 07:28:00 GMT"),
            MetadataSummary = Series("1.2.1", 2),
            IsMetadataOutdated = true,
        };
        var west = new Series(Uid.Parse("1.2.1")) { InstanceRows = Pack("1.2.1.1"), MadeInClient = true, MetadataMadeInClient = true };
        return new Study(Uid.Parse("1.2"))
            .With(new SeriesList("east")
            {
                StudyRow = Instance("1.2", "1.2.1",
                "1.2.1.1"),
                StudyRowAsked = Noon.AddMinutes(1),
                StudyRowFields = ["00081030"],
                ListedAt = Noon.AddMinutes(2)
            }.With(east))
            .With(new SeriesList("north") { ListedAt = Noon, IsUnlisted = true })
            .With(new SeriesList("west").With(west)) with
        { Owners = new Dictionary<Uid, string> { [Uid.Parse("1.2.1")] = "east" }.ToImmutableDictionary() };
    }
}
