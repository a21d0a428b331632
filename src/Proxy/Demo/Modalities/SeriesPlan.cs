using System.Globalization;

namespace Proxy.Demo.Modalities;

/// <summary>The description of a series from which a modality creates it.</summary>
/// <param name="Study">The study's key.</param>
/// <param name="Key">The series' key within the study.</param>
/// <param name="Number">Series number.</param>
/// <param name="Description">Series description.</param>
/// <param name="Site">Institution name.</param>
/// <param name="Date">Series date, YYYYMMDD.</param>
/// <param name="Time">Series time, HHMMSS.</param>
internal sealed record SeriesPlan(string Study, string Key, int Number, string Description, string Site, string Date, string Time)
{
    private const string ExplicitLittleEndian = "1.2.840.10008.1.2.1";

    /// <summary>The frame of reference UID, which all series of the study share.</summary>
    public string FrameOfReference => DemoUid.Create(Study, "frame of reference");

    /// <summary>Creates the series; <paramref name="shared"/> contains the attributes that all its instances share.</summary>
    public DemoSeries Create(string modality, DemoDataset shared, IEnumerable<DemoInstance> instances)
    {
        var uid = DemoUid.Create(Study, Key);
        return new DemoSeries(uid, DemoDataset.Union(shared, new DemoDataset
        {
            { "SeriesDate", Date },
            { "SeriesTime", Time },
            { "Modality", modality },
            { "Manufacturer", "Demo" },
            { "InstitutionName", Site },
            { "StationName", $"DEMO-{modality}" },
            { "SeriesDescription", Description },
            { "ManufacturerModelName", $"Phantom {modality}" },
            { "ProtocolName", Description },
            { "SeriesInstanceUID", uid },
            { "SeriesNumber", Number },
            { "PerformedProcedureStepStartDate", Date },
            { "PerformedProcedureStepStartTime", Time },
        }), [.. instances]);
    }

    /// <summary>Creates an instance of the series.</summary>
    public DemoInstance Instance(int number, string sopClass, DemoDataset own, DemoBulk pixels)
    {
        var uid = DemoUid.Create(Study, Key, number.ToString(CultureInfo.InvariantCulture));
        return new DemoInstance(uid, DemoDataset.Union(own, new DemoDataset
        {
            { "SOPClassUID", sopClass },
            { "SOPInstanceUID", uid },
            { "AcquisitionDate", Date },
            { "ContentDate", Date },
            { "AcquisitionTime", Time },
            { "ContentTime", Time },
            { "AvailableTransferSyntaxUID", ExplicitLittleEndian },
            { "AcquisitionNumber", 1 },
            { "InstanceNumber", number },
            { "PixelData", pixels },
        }), pixels);
    }
}
