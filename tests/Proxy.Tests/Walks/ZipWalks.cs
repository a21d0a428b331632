using System.IO.Compression;
using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Whole instances, series and studies as ZIP files (PS3.18 §10.4.4).</summary>
public sealed class ZipWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Series = Study + "/series/1.2.1.1";
    private const string Instance = Series + "/instances/1.2.1.1.2";
    private const string Zip = "application/zip; transfer-syntax=*";
    private const string Multipart = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

    private static readonly HeldSeries First = new("1.2.1.1", "CT", 8);
    private static readonly HeldSeries Second = new("1.2.1.2", "SR", 1);

    private readonly RawPacs _east = new(new HeldStudy("1.2.1") { PatientName = "SECRET^NAME", PatientId = "SECRET" }.With(First));
    private readonly WireMockPacs _west = new(new HeldStudy("1.2.1").With(Second));
    private readonly ProxyHost _proxy;

    public ZipWalks()
    {
        _proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address));
        AnswerSeries(connection => connection.SendAsync(Parts(First.InstanceUids, isClosed: true)));
        foreach (var instance in First.InstanceUids)
            _east.On("/instances/" + instance, async connection =>
            {
                await connection.SendAsync(Head);
                await connection.SendAsync(Parts([instance], isClosed: true));
                connection.Close();
            });
        _west.On("/instances/1.2.1.2.1", _ => Archive.Multipart("application/dicom", File("1.2.1.2.1")));
    }

    private const string Head =
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/related; type=\"application/dicom\"; boundary=b\r\nConnection: close\r\n\r\n";

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Theory]
    [InlineData(Study, 9, "1.2.1.zip")]
    [InlineData(Series, 8, "1.2.1.1.zip")]
    [InlineData(Instance, 1, "1.2.1.1.2.zip")]
    public async Task HoldsEveryInstance_UnderItsUids(string path, int count, string name)
    {
        var reply = await _proxy.GetAsync(path, ("Accept", Zip));

        Assert.Equal("application/zip", reply["Content-Type"]);
        Assert.Equal($"attachment; filename=\"{name}\"", reply["Content-Disposition"]);
        Assert.Equal("sandbox", reply["Content-Security-Policy"]);
        Assert.Equal("Accept", reply["Vary"]);
        var entries = Unzip(reply.Body);
        Assert.Equal(count, entries.Count);
        Assert.All(entries, e => Assert.Equal(File(Path.GetFileNameWithoutExtension(e.Key)), e.Value));
        Assert.Contains("1.2.1.1/1.2.1.1.2.dcm", entries.Keys);
        Assert.DoesNotContain("SECRET", Encoding.Latin1.GetString(reply.Body));
    }

    [Fact]
    public async Task GivesTheSameBytes_WhenItIsAskedAgain()
    {
        var first = await _proxy.GetAsync(Series, ("Accept", Zip));

        Assert.Equal(first.Body, (await _proxy.GetAsync(Series, ("Accept", Zip), ("Range", "bytes=0-10"))).Body);
    }

    [Fact]
    public async Task AnswersHead_WithoutReadingAnInstance()
    {
        foreach (var path in (string[])[Study, Series])
        {
            foreach (var accept in (string[])[Zip, Multipart])
            {
                var head = await _proxy.SendAsync(HttpMethod.Head, path, [("Accept", accept)]);

                Assert.Equal(200, (int)head.Status);
                Assert.Equal(accept.Split(';')[0], head["Content-Type"].Split(';')[0]);
                Assert.Empty(head.Body);
            }
        }
        Assert.Equal(0, _east.Count("series/1.2.1.1") + First.InstanceUids.Sum(i => _east.Count("/instances/" + i)));
        var one = await _proxy.SendAsync(HttpMethod.Head, Instance, [("Accept", Zip)]);
        Assert.Equal((200, "application/zip", 0), ((int)one.Status, one["Content-Type"], one.Body.Length));
        Assert.Equal(404, (int)(await _proxy.SendAsync(HttpMethod.Head, "/dicomweb/studies/1.2.9", [("Accept", Zip)])).Status);
    }

    [Fact]
    public async Task CompetesWithTheOtherForms()
    {
        Assert.Equal("multipart/related", await GetTypeAsync(Study, $"{Zip}, {Multipart}"));
        Assert.Equal("application/zip", await GetTypeAsync(Study, $"{Zip}, {Multipart};q=0.5"));
        Assert.Equal("application/dicom", await GetTypeAsync(Instance, $"{Zip}, application/dicom"));
        Assert.Equal("application/zip", await GetTypeAsync(Instance + "?accept=application/zip", "application/dicom"));
        (await _proxy.GetAsync(Study, ("Accept", "application/x-zip"))).IsProblem(406, "application/zip");

        async Task<string> GetTypeAsync(string path, string accept) =>
            (await _proxy.GetAsync(path, ("Accept", accept)))["Content-Type"].Split(';')[0];
    }

    [Fact]
    public async Task IsNotReadable_WhenThePacsFailsInTheMiddle()
    {
        var gate = new Gate();
        foreach (var instance in First.InstanceUids)
        {
            _east.On("/instances/" + instance, connection =>
            {
                connection.Close();
                return Task.CompletedTask;
            });
        }
        AnswerSeries(async connection =>
        {
            await connection.SendAsync(Parts(First.InstanceUids.Take(3), isClosed: false));
            await connection.SendAsync(Parts([First.InstanceUids.ElementAt(3)], isClosed: false)[..^40_000]);
            await gate.PassAsync();
        });

        using var response = await _proxy.OpenAsync(Series, ("Accept", Zip));
        var stop = TestContext.Current.CancellationToken;
        await using var body = await response.Content.ReadAsStreamAsync(stop);
        var received = new byte[200_000];
        var length = await body.ReadAtLeastAsync(received, 160_000, cancellationToken: stop);
        gate.Open();

        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            for (int count; (count = await body.ReadAsync(received.AsMemory(length), stop)) > 0;) length += count;
        });
        Assert.ThrowsAny<InvalidDataException>(() => Unzip(received[..length]));
    }

    private static Dictionary<string, byte[]> Unzip(byte[] bytes)
    {
        using var zip = new ZipArchive(new MemoryStream(bytes));
        return zip.Entries.ToDictionary(e => e.FullName, e =>
        {
            using var file = e.Open();
            using var copy = new MemoryStream();
            file.CopyTo(copy);
            return copy.ToArray();
        });
    }

    private void AnswerSeries(Func<RawConnection, Task> script) => _east.On("series/1.2.1.1", async connection =>
    {
        await connection.SendAsync(Head);
        await script(connection);
        connection.Close();
    });

    private static byte[] Parts(IEnumerable<string> instances, bool isClosed)
    {
        var body = new List<byte>();
        foreach (var file in instances.Select(File))
        {
            body.AddRange(Encoding.ASCII.GetBytes($"--b\r\nContent-Type: application/dicom\r\nContent-Length: {file.Length}\r\n\r\n"));
            body.AddRange(file);
            body.AddRange("\r\n"u8);
        }
        if (isClosed) body.AddRange("--b--\r\n"u8);
        return [.. body];
    }

    private static byte[] File(string instance) => new Part10File()
        .SetRaw(0x00020003, Part10File.Element(0x00020003, "UI", Part10File.Even(instance, '\0')))
        .Set(0x00080018, "UI", Part10File.Even(instance, '\0'))
        .Set(0x0020000D, "UI", Part10File.Even("1.2.1", '\0'))
        .Set(0x0020000E, "UI", Part10File.Even(instance[..instance.LastIndexOf('.')], '\0'))
        .Set(0x7FE00010, "OW", [.. Enumerable.Repeat((byte)instance[^1], 50_000)]).ToArray();
}
