using System.Net;
using Proxy.Tests.Dimse;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>STOW-RS to a PACS that speaks DIMSE: each instance is sent by C-STORE, and the answer has its result.</summary>
public sealed class DimseStowWalks : IAsyncDisposable
{
    private const string Ct = "1.2.840.10008.5.1.4.1.1.2\0";
    private const string Mr = "1.2.840.10008.5.1.4.1.1.4\0";

    private readonly DimsePacs _pacs = new();
    private readonly ProxyHost _proxy = [];

    public DimseStowWalks()
    {
        foreach (var (key, value) in _pacs.Settings()) _proxy[key] = value;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _pacs.DisposeAsync();
    }

    [Fact]
    public async Task StoresAllInstances_OfTwoClassesAndSyntaxes()
    {
        byte[] large = File("1.2.9.1.2", Mr, Part10File.Implicit, 600_000);

        var reply = await _proxy.PostAsync("/dicomweb/studies", StowMessage.Body(File("1.2.9.1.1"), large));

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Equal(["1.2.9.1.1", "1.2.9.1.2"], _pacs.Received.Select(one => one.Uid));
        Assert.Equal(large[^600_000..], _pacs.Received.Last().Dataset[^600_000..]);
        Assert.Contains($"{_proxy.Address}/dicomweb/studies/1.2.9/series/1.2.9.1/instances/1.2.9.1.2", reply.Text);
        Assert.DoesNotContain("00081198", reply.Text);
    }

    [Theory]
    [InlineData(0xB000, 202, "00081196", "45056")]
    [InlineData(0xA700, 202, "00081197", "42752")]
    [InlineData(0xC123, 202, "00081197", "49443")]
    public async Task TellsTheResultOfEachInstance(int status, int expected, string tag, string reason)
    {
        _pacs.AnswersStore = uid => uid == "1.2.9.1.2" ? (ushort)status : (ushort)0;

        var reply = await _proxy.PostAsync("/dicomweb/studies/1.2.9", StowMessage.Body(File("1.2.9.1.1"), File("1.2.9.1.2")));

        Assert.Equal(expected, (int)reply.Status);
        Assert.Contains($$"""
            "{{tag}}":{"vr":"US","Value":[{{reason}}]}
            """.Trim(), reply.Text);
        Assert.Equal(2, _pacs.Received.Count);
    }

    [Fact]
    public async Task StoresNothing_OfOtherStudiesRefusedClassesAndOtherFiles()
    {
        _pacs.RefusedClass = Mr.Trim('\0');

        var reply = await _proxy.PostAsync(
            "/dicomweb/studies/1.2.8", StowMessage.Body(File("1.2.9.1.1"), "no file"u8.ToArray(), File("1.2.8.1.1", Mr, study: "1.2.8")));

        Assert.Equal(409, (int)reply.Status);
        Assert.Contains("[43265]", reply.Text);
        Assert.Contains("[290]", reply.Text);
        Assert.Contains("0008119A", reply.Text);
        Assert.Empty(_pacs.Received);
    }

    [Fact]
    public async Task TellsWhatIsStored_WhenThePacsFailsInBetween()
    {
        _pacs.AnswersStore = uid => uid == "1.2.9.1.1" ? 0 : null;

        var reply = await _proxy.PostAsync(
            "/dicomweb/studies", StowMessage.Body(File("1.2.9.1.1"), File("1.2.9.1.2"), File("1.2.9.1.3")));

        Assert.Equal(202, (int)reply.Status);
        Assert.Equal(2, reply.Text.Split("[272]").Length - 1);
    }

    [Fact]
    public async Task SaysThatTheResultIsUnknown_WhenThePacsFails()
    {
        _pacs.AnswersStore = _ => null;

        var reply = await _proxy.PostAsync("/dicomweb/studies", StowMessage.Body(File("1.2.9.1.1")));

        Assert.InRange((int)reply.Status, 500, 504);
        Assert.Contains("its result is unknown", reply.Text);
    }

    [Fact]
    public async Task AbortsTheAssociation_WhenTheBodyEndsEarly()
    {
        var body = StowMessage.Join(File("1.2.9.1.1", bytes: 600_000))[..300_000];

        var reply = await _proxy.PostAsync("/dicomweb/studies", StowMessage.WithType(new ByteArrayContent(body)));

        reply.IsProblem(400);
        Assert.Empty(_pacs.Received);
        // The failure of a client is not one of the PACS.
        Assert.Equal(200, (int)(await _proxy.GetAsync("/dicomweb/studies")).Status);
    }

    private static byte[] File(
        string uid, string sopClass = Ct, string syntax = Part10File.Explicit, int bytes = 1000, string study = "1.2.9") =>
        new Part10File(syntax).SetRaw(0x00020002, Part10File.Element(0x00020002, "UI", Even(sopClass.Trim('\0'))))
            .SetRaw(0x00020003, Part10File.Element(0x00020003, "UI", Even(uid)))
            .Set(0x00080016, "UI", sopClass).Set(0x00080018, "UI", Even(uid))
            .Set(0x0020000D, "UI", Even(study)).Set(0x0020000E, "UI", Even(study + ".1"))
            .Set(0x00210010, "LO", "TESTS").Set(0x00211001, "OB", Pixels.Create(uid, bytes)).ToArray();

    private static byte[] Even(string uid) => Part10File.Even(uid, '\0');
}
