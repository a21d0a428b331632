using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Xunit;

namespace Proxy.Integration;

/// <summary>A PACS that is asked by DIMSE says the same as Orthanc's DICOMweb about the same instances.</summary>
public sealed class DimseTests
{
    private const string Files = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

    private static readonly Series[] Stored = [Archives.OldAxial, Archives.Chest, Archives.Clip, Archives.Letter];

    /// <summary>The character set of the answer, the stored transfer syntax, links and the AE title: each server writes its own.</summary>
    private static readonly string[] Own = ["00080005", "00080054", "00080056", "00083002", "00081190"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task SaysTheSameAsDicomWeb()
    {
        Real.RequireOrthanc();
        Real.RequireDcmtk();
        var (dicomPort, listen) = (Readiness.FreePort(), Readiness.FreePort());
        await using var dcmtk = await DcmtkServer.StartAsync(Cancel);
        await using var orthanc = await OrthancServer.StartAsync("dimse", null, (dicomPort, listen), Cancel);
        var instances = Stored.SelectMany(series => series.Instances).ToList();
        await orthanc.StoreAsync(instances, Cancel);
        await using var proxy = await ProxyProcess.StartAsync(
            [
                .. Dimse("ORTHANC", "ORTHANC", dicomPort), .. Dimse("DCMTK", "DCMTK", dcmtk.Port),
                .. Dimse("MOVED", "ORTHANC", dicomPort), "Backends:MOVED:Retrieve=Move", $"Backends:MOVED:Listen=127.0.0.1:{listen}",
                .. ProxyProcess.NoPrefetch,
            ],
            Cancel);

        await StoreAsync(proxy, "DCMTK", instances);
        await AskFor("MOVED").AssertSameMetadataAsync(Archives.OldAxial);
        await AskFor("MOVED").AssertSameMetadataAsync(Archives.Clip);
        foreach (var peer in new[] { "ORTHANC", "DCMTK" })
        {
            var sides = AskFor(peer);
            await sides.AssertSameRowsAsync("studies", Tags.StudyInstanceUid);
            foreach (var series in Stored)
            {
                await sides.AssertSameRowsAsync($"studies/{series.Study.Uid}/series", Tags.SeriesInstanceUid);
                await sides.AssertSameRowsAsync($"{series.Path}/instances", Tags.SopInstanceUid);
                await sides.AssertSameMetadataAsync(series);
                var last = series.Instances.Last();
                if (series != Archives.Letter) await sides.AssertSameAsync($"{last.Path}/frames/1", DicomwebClient.Frames, whole => whole);
                // dcmtk writes the dataset again when it stores it.
                if (peer == "ORTHANC") await sides.AssertSameAsync(last.Path, Files, SkipMeta);
            }
        }

        Sides AskFor(string backend) =>
            new(new(proxy.Http, $"{proxy.Root}/backends/{backend}/dicomweb"), proxy.Http, new(orthanc.Http, orthanc.Address));

        static IEnumerable<string> Dimse(string name, string title, int port) =>
        [
            $"Backends:{name}:Kind=Dimse", $"Backends:{name}:Host=127.0.0.1", $"Backends:{name}:CalledAeTitle={title}",
            $"Backends:{name}:Port={port}", $"Backends:{name}:CallingAeTitle=PROXY",
        ];
    }

    /// <summary>Stores by STOW-RS, which becomes C-STORE; what the proxy cached of it is purged.</summary>
    private static async Task StoreAsync(ProxyProcess proxy, string backend, IEnumerable<Instance> instances)
    {
        await Until.PassesAsync(
            async () =>
            {
                using var content = new MultipartContent("related", "a-part");
                content.Headers.ContentType!.Parameters.Add(new("type", "\"application/dicom\""));
                foreach (var instance in instances)
                    content.Add(new ByteArrayContent(instance.ToPart10()) { Headers = { ContentType = new("application/dicom") } });
                using var answer = await proxy.Http.PostAsync($"{proxy.Root}/backends/{backend}/dicomweb/studies", content, Cancel);
                Assert.True(answer.StatusCode == HttpStatusCode.OK, await answer.Content.ReadAsStringAsync(Cancel));
            },
            Cancel);
        using var purged = await proxy.Http.DeleteAsync($"{proxy.Root}/cache", Cancel);
        Assert.True(purged.IsSuccessStatusCode);
    }

    /// <summary>The dataset of a file: each server writes its own group 0002 (PS3.10 §7.1).</summary>
    private static byte[] SkipMeta(byte[] file) => file[(132 + 12 + BitConverter.ToInt32(file, 140))..];

    /// <summary>Orthanc writes decimal strings with 17 digits.</summary>
    private static bool IsSame(JsonNode? a, JsonNode? b) => (a, b) switch
    {
        (JsonArray one, JsonArray other) => one.Count == other.Count && one.Zip(other).All(pair => IsSame(pair.First, pair.Second)),
        (JsonObject one, JsonObject other) => one.Count == other.Count && one.All(member => IsSame(member.Value, other[member.Key])),
        _ => JsonNode.DeepEquals(a, b) || double.TryParse($"{a}", out var x) && double.TryParse($"{b}", out var y) && x == y,
    };

    /// <summary>The proxy, and the reference.</summary>
    private sealed record Sides(DicomwebClient Asked, HttpClient Http, DicomwebClient Reference)
    {
        public async Task AssertSameAsync(string path, string accept, Func<byte[], byte[]> part)
        {
            var (asked, expected) = (await GetAsync(Asked), await GetAsync(Reference));
            Assert.True(expected.AsSpan().SequenceEqual(asked), path);

            async Task<byte[]> GetAsync(DicomwebClient client) =>
                part(Assert.Single((await client.AskAsync(path, accept, Cancel)).Parts()));
        }

        public async Task AssertSameRowsAsync(string path, uint key)
        {
            var (rows, expected) = (await ReadAsync(Asked), await ReadAsync(Reference));
            Assert.Equal(expected.Keys.Order(), rows.Keys.Order());
            foreach (var (uid, row) in expected)
            {
                var known = row.AsObject().Where(one => !Own.Contains(one.Key) && rows[uid][one.Key]?["Value"] is not null);
                foreach (var (tag, value) in known)
                    Assert.True(IsSame(value, rows[uid][tag]), $"{tag} of {uid} in {path}: {value} {rows[uid][tag]}");
                if (row.Text(Tags.NumberOfStudyRelatedInstances) is { } count)
                    Assert.Equal(count, rows[uid].Text(Tags.NumberOfStudyRelatedInstances));
            }

            async Task<Dictionary<string, JsonNode>> ReadAsync(DicomwebClient client) =>
                (await client.GetJsonAsync(path, Cancel)).Datasets.By(key);
        }

        public async Task AssertSameMetadataAsync(Series series)
        {
            var datasets = (await Asked.GetMetadataAsync(series, Cancel)).Datasets.By(Tags.SopInstanceUid);
            var expected = (await Reference.GetMetadataAsync(series, Cancel)).Datasets.By(Tags.SopInstanceUid);
            Assert.Equal(expected.Keys.Order(), datasets.Keys.Order());
            foreach (var (uid, dataset) in expected)
            {
                foreach (var (tag, value) in dataset.AsObject().Where(one => !Own.Contains(one.Key)))
                {
                    var own = datasets[uid][tag] ?? throw new InvalidOperationException($"{tag} of {uid} is missing");
                    if (own["BulkDataURI"] is { } link) await AssertBulkDataAsync(link.ToString(), value!, $"{tag} of {uid}");
                    else if (own["InlineBinary"] is { } inline) await AssertBytesAsync(value!, Decode(inline), $"{tag} of {uid}");
                    else Assert.True(IsSame(value, own), $"{tag} of {uid}: {value} {own}");
                }
            }
        }

        /// <summary>The value in a part and alone, its first bytes, and its last bytes.</summary>
        private async Task AssertBulkDataAsync(string link, JsonNode expected, string name)
        {
            var whole = Assert.Single((await Asked.GetBulkAsync(link, DicomwebClient.Bulk, Cancel)).Parts());
            await AssertBytesAsync(expected, whole, name);
            Assert.Equal(whole, await GetRangeAsync(null, HttpStatusCode.OK));
            Assert.Equal(whole[2..9], await GetRangeAsync(new(2, 8), HttpStatusCode.PartialContent));
            Assert.Equal(whole[^4..], await GetRangeAsync(new(null, 4), HttpStatusCode.PartialContent));

            async Task<byte[]> GetRangeAsync(RangeHeaderValue? range, HttpStatusCode status)
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, link) { Headers = { Range = range } };
                request.Headers.TryAddWithoutValidation("Accept", "application/octet-stream; transfer-syntax=*, */*; q=0.1");
                using var answer = await Http.SendAsync(request, Cancel);
                Assert.Equal(status, answer.StatusCode);
                return await answer.Content.ReadAsByteArrayAsync(Cancel);
            }
        }

        /// <summary>Each server decides by itself which values are inline.</summary>
        private async Task AssertBytesAsync(JsonNode expected, byte[] bytes, string name)
        {
            var value = expected["BulkDataURI"] is { } link
                ? (await Reference.GetBulkAsync(link.ToString(), DicomwebClient.Bulk, Cancel)).Parts()[0]
                : Decode(expected["InlineBinary"]!);
            Assert.True(value.AsSpan().SequenceEqual(bytes), name);
        }

        private static byte[] Decode(JsonNode inline) => Convert.FromBase64String(inline.ToString());
    }
}
